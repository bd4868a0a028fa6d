"""Pydantic's JSON schemas in the dialect of OpenAPI 3.0, which differs from JSON Schema's own."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from pydantic_core import core_schema

type Json = dict[str, Any]

_REF_TEMPLATE = "#/components/schemas/{model}"


class _Schema30(GenerateJsonSchema):
    """No `const`, which 3.0 does not know, and no titles that only repeat a field's name."""

    def literal_schema(self, schema: core_schema.LiteralSchema) -> Json:
        made = super().literal_schema(schema)
        if "const" in made:
            made["enum"] = [made.pop("const")]
        return made

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> Json:
        made = super().default_schema(schema)
        if self.mode == "serialization":
            made.pop("default", None)
        return made

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 (the base class's signature)
        return False

    def field_is_required(self, field: Any, total: bool) -> bool:
        """Of an answer, a field that is sent with its default is required too; only one without a value is absent."""
        if self.mode == "serialization" and field["schema"]["type"] == "default":
            return field["schema"].get("default") is not None
        return super().field_is_required(field, total)


def component_schemas(requests: Iterable[type[BaseModel]], answers: Iterable[type[BaseModel]]) -> Json:
    """The schemas of these models and of all that they refer to, by name: the `components.schemas` of a document."""
    modes: dict[type[BaseModel], JsonSchemaMode] = dict.fromkeys(requests, "validation")
    modes |= dict.fromkeys(answers, "serialization")
    _, made = models_json_schema(list(modes.items()), ref_template=_REF_TEMPLATE, schema_generator=_Schema30)
    schemas: Json = made["$defs"]
    return schemas


def model_schema(model: type[BaseModel]) -> Json:
    """The schema of one model of what is sent, by itself."""
    return model.model_json_schema(schema_generator=_Schema30)


def reference(model: type[BaseModel]) -> Json:
    """A reference to a model's schema among the components."""
    return {"$ref": _REF_TEMPLATE.format(model=model.__name__)}


def inlined(part: Any, schemas: Json) -> Any:
    """A part of a document with every reference replaced by what it refers to."""
    if isinstance(part, list):
        return [inlined(one, schemas) for one in part]
    if not isinstance(part, dict):
        return part
    beside = {name: inlined(one, schemas) for name, one in part.items() if name != "$ref"}
    # What stands beside a reference says more of this one place.
    return inlined(schemas[part["$ref"].rsplit("/", 1)[1]], schemas) | beside if "$ref" in part else beside
