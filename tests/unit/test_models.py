"""What every model of the product has in common."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

import functions
import imagejobs


def modules() -> Iterator[ModuleType]:
    for package in (functions, imagejobs):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield import_module(found.name)


def models(base: type[BaseModel] = BaseModel) -> Iterator[type[BaseModel]]:
    for model in base.__subclasses__():
        yield model
        yield from models(model)


def test_no_model_quotes_what_it_was_given_in_its_errors() -> None:
    names = {module.__name__ for module in modules()}
    ours = [model for model in models() if model.__module__ in names]

    assert len(ours) > 40
    assert [model.__name__ for model in ours if not model.model_config.get("hide_input_in_errors")] == []


def test_neither_does_a_union_of_models() -> None:
    adapters = {
        (module.__name__, name): one
        for module in modules()
        for name, one in vars(module).items()
        if isinstance(one, TypeAdapter)
    }

    assert adapters
    for where, adapter in adapters.items():
        for given in ("s3cret", {"action": "list_images", "job_id": ["s3cret"]}):
            with pytest.raises(ValidationError) as refused:
                adapter.validate_python(given)
            assert "s3cret" not in str(refused.value), where
