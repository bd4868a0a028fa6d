"""What a row of the route table says."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, get_args, get_type_hints

from pydantic import BaseModel

from functions.accept.http.call import Answer, Call
from functions.accept.http.requests import OpenRequest, Request


def models(hint: Any) -> tuple[type[BaseModel], ...]:
    """The models that a type stands for: itself, or those of a union."""
    return get_args(hint) or (hint,)


@dataclass(frozen=True)
class Route[R: OpenRequest]:
    """One operation of the API: what answers it, what it takes, what it gives, and how it is described.

    Router, `Allow`, CORS, both OpenAPI documents and the table in docs/api.md are made from this and from nothing else.
    """

    method: Literal["GET", "POST", "DELETE"]
    # As OpenAPI writes it: "/jobs/{job_id}".
    path: str
    handler: Callable[[Call[R]], Answer]
    request: type[R]
    # Each success: its code, and the model (or one of several) or the media type of its body; None for one without.
    answers: dict[int, type[BaseModel] | UnionType | str | None]
    operation_id: str
    summary: str
    # For an agent's language model, which chooses an operation by this text alone. Without line breaks, which
    # watsonx Orchestrate's importer does not take.
    description: str
    # The refusals beside those that every route may give.
    problems: tuple[int, ...] = ()
    tag: Literal["Jobs", "Service"] = "Jobs"
    # The payload that is posted to the callbackUrl, of a route that starts a job.
    callback: type[BaseModel] | None = None
    # A body that is taken as it stands.
    example: Mapping[str, Any] | None = None
    # Whether watsonx Orchestrate imports it as a tool.
    tool: bool = False

    @property
    def open(self) -> bool:
        """Whether everyone may call it, without a key or a token."""
        return not issubclass(self.request, Request)

    @property
    def methods(self) -> list[str]:
        """The methods that it answers: HEAD wherever GET is (RFC 9110, 9.1)."""
        return ["GET", "HEAD"] if self.method == "GET" else [self.method]

    @property
    def rule(self) -> str:
        """The path as Powertools' router takes it: a pattern, for any text in the place of a parameter."""
        return re.sub(r"{\w+}", "[^/]+", self.path)

    def path_parameters(self, path: str) -> dict[str, str] | None:
        """The parameters that a path gives; None when the path is another route's. A slash at its end is passed over.

        Powertools' own parameters take no characters but some: a wrong job id would be an unknown route.
        """
        found = re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", self.path), path.rstrip("/") or "/")
        return found.groupdict() if found else None

    @property
    def bodies(self) -> tuple[type[BaseModel], ...]:
        """The models of the request's body, of which it is one; none for a request without."""
        hint = get_type_hints(self.request).get("body")
        return models(hint) if hint else ()

    @property
    def parameters(self) -> dict[str, type[BaseModel]]:
        """The models of the request's path, query and headers, by where OpenAPI says that they are."""
        hints = get_type_hints(self.request)
        return {part: hints[part] for part in ("path", "query", "header") if part in hints}

    @property
    def header_names(self) -> list[str]:
        """The names of the headers that it takes."""
        return [field.alias or name for name, field in self.parameters["header"].model_fields.items()]
