"""What a tool takes and gives: the schemas of its route's models, in the plain form that agents' importers take.

No references and no unions: Amazon Bedrock AgentCore Gateway takes neither oneOf, anyOf nor allOf ("OpenAPI schema
targets", developer guide).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from functions.accept.http.route import Route, models
from functions.accept.http.schemas import Json, component_schemas, inlined, model_schema
from functions.accept.mcp.tools import TOOLS, Tool

_UNIONS = ("anyOf", "oneOf", "allOf")


def route_of(tool: Tool, routes: Sequence[Route[Any]]) -> Route[Any]:
    """The route that a tool is."""
    return next(route for route in routes if route.operation_id == tool.operation_id)


@dataclass(frozen=True)
class Argument:
    """One thing that a tool takes: the part of the request that has it, and by which name, and whether it must."""

    place: str
    # Of a header another name than the argument's.
    sent_as: str
    schema: Json
    required: bool


def arguments_of(tool: Tool, routes: Sequence[Route[Any]]) -> dict[str, Argument]:
    """What a tool takes, by name."""
    route = route_of(tool, routes)
    places = route.parameters | ({"body": route.bodies[0]} if route.bodies else {})
    found = {}
    for place, model in places.items():
        schema = model_schema(model)
        properties = inlined(schema["properties"], schema.get("$defs", {}))
        for name, field in model.model_fields.items():
            sent_as = field.alias or name
            told = _in_terms_of_tools(plain(properties[sent_as]), routes)
            found[name] = Argument(place, sent_as, told, sent_as in schema.get("required", []))
    return {name: found[name] for name in tool.arguments}


def object_schema(arguments: dict[str, Argument]) -> Json:
    """The schema of an object of these arguments, and of no others."""
    schema: Json = {"type": "object", "properties": {name: one.schema for name, one in arguments.items()}}
    if required := [name for name, one in arguments.items() if one.required]:
        schema["required"] = required
    return schema | {"additionalProperties": False}


def answer_schemas(tool: Tool, routes: Sequence[Route[Any]]) -> dict[int, Json]:
    """The schema of each success of a tool, by its code. Of several models of one code, the first is the tool's."""
    told = {code: models(answer)[0] for code, answer in route_of(tool, routes).answers.items()}
    schemas = component_schemas([], list(told.values()))
    return {code: _in_terms_of_tools(plain(_of(model, schemas)), routes) for code, model in told.items()}


def answer_schema(tool: Tool, routes: Sequence[Route[Any]]) -> Json:
    """One schema for every success of a tool."""
    return _merged(list(answer_schemas(tool, routes).values()))


def _of(model: type[BaseModel], schemas: Json) -> Json:
    schema: Json = inlined(schemas[model.__name__], schemas)
    return schema


def plain(part: Any) -> Any:
    """A part of a schema with each union replaced by one schema that takes what any of its members does."""
    if isinstance(part, list):
        return [plain(one) for one in part]
    if not isinstance(part, dict):
        return part
    rest = {name: plain(value) for name, value in part.items() if name not in _UNIONS}
    for union in _UNIONS:
        if union in part:
            rest = _merged([plain(member) for member in part[union]]) | rest
    return rest


def _merged(schemas: list[Json]) -> Json:
    first, *others = schemas
    for other in others:
        first = _either(first, other)
    return first


def _either(one: Json, other: Json) -> Json:
    """A schema that takes what either does: what both say holds, and of objects the properties of both."""
    merged = {name: value for name, value in one.items() if other.get(name) == value}
    if "enum" in one and "enum" in other:
        merged["enum"] = list(dict.fromkeys([*one["enum"], *other["enum"]]))
    if "properties" in one and "properties" in other:
        mine, theirs = one["properties"], other["properties"]
        shared = {name: _either(mine[name], theirs[name]) for name in mine if name in theirs}
        merged["properties"] = mine | theirs | shared
        merged["required"] = [name for name in one.get("required", []) if name in other.get("required", [])]
        merged.pop("additionalProperties", None)
    return merged


def _in_terms_of_tools(part: Any, routes: Sequence[Route[Any]]) -> Any:
    """A part of a schema whose descriptions name tools where they named routes; without models' class names."""
    if isinstance(part, list):
        return [_in_terms_of_tools(one, routes) for one in part]
    if not isinstance(part, dict):
        return part
    told = {name: _in_terms_of_tools(value, routes) for name, value in part.items() if not _is_class_name(name, value)}
    if isinstance(text := told.get("description"), str):
        names = {f"{route.method} {route.path}": tool.name for tool in TOOLS for route in [route_of(tool, routes)]}
        for name in sorted(names, key=len, reverse=True):  # GET /jobs is the beginning of others
            text = text.replace(name, names[name])
        told["description"] = text
    return told


def _is_class_name(name: str, value: object) -> bool:
    return name == "title" and isinstance(value, str)
