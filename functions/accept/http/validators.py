"""What text in a request is held to, beyond what pydantic knows."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from functions.accept.settings import AcceptSettings
from imagejobs.estimates import dollars
from imagejobs.outbound.policy import OutboundPolicy, UrlRefusedError, check_url


@dataclass(frozen=True)
class Fits:
    """Text that fits a pattern. Other text is refused with what was expected."""

    pattern: str
    expected: str
    kind: str = "value_error"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": self.pattern}

    def _check(self, text: str | None) -> str | None:
        if text is not None and not re.fullmatch(self.pattern, text):
            raise PydanticCustomError(self.kind, self.expected)
        return text


def allowed(policy: Callable[[AcceptSettings, str], tuple[str, OutboundPolicy]]) -> AfterValidator:
    """Refuse a URL that the policy forbids to call; host names are resolved later, by the function that calls it."""

    def check(url: str | None, info: ValidationInfo) -> str | None:
        if url is not None:
            settings: Any = info.context
            try:
                check_url(*policy(settings, url))
            except UrlRefusedError as error:
                raise ValueError(f"the URL {error}") from None
        return url

    return AfterValidator(check)


def within_the_owners_bound(bound: float | None, info: ValidationInfo) -> float | None:
    """Refuse a bound above the owner's, which would promise what does not hold."""
    settings: AcceptSettings | None = info.context
    most = settings.max_cost_usd_per_job if settings else 0
    if bound and most and bound > most:
        raise ValueError(
            f"expected at most {dollars(most)}, which the owner of the service allows for one job; got {dollars(bound)}"
        )
    return bound
