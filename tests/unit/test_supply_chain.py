"""What is deployed is what was locked: every package by its hashes, named in a bill of materials with its licence."""

import json
import re
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from jsonschema import Draft7Validator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import sbom
from tools.wheels import MACHINES, pip_variables

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated from CycloneDX")

ROOT = Path(__file__).parents[2]
PACKAGED = sbom.packaged()
LOCKED = sbom.pinned(ROOT / "requirements.lock")


@pytest.fixture(scope="module")
def bills(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The bills of materials that `make sbom` writes, by layer or function."""
    folder = tmp_path_factory.mktemp("sbom")
    sbom.main(folder)
    return {path.name.removesuffix(".cdx.json"): path.read_text() for path in folder.iterdir()}


def components(bill: str) -> dict[str, dict[str, Any]]:
    """A bill's components by `name==version`."""
    return {f"{one['name']}=={one['version']}": one for one in json.loads(bill)["components"]}


def licences(component: dict[str, Any]) -> list[str]:
    """The licences of a component, as identifiers or expressions."""
    found = component.get("licenses", [])
    return [one.get("expression") or one["license"].get("id") or one["license"]["name"] for one in found]


def test_every_layer_and_function_with_packages_is_among_the_deployed() -> None:
    assert set(PACKAGED) == {"authorizer", "common", "pillow", "process_image"}


@pytest.mark.parametrize("name", PACKAGED)
def test_what_is_deployed_is_what_was_locked_by_version_and_hash(name: str) -> None:
    text = PACKAGED[name].read_text()
    pinned = sbom.pinned(PACKAGED[name])

    assert len(pinned) == len(re.findall(r"^\w", text, re.MULTILINE))
    assert all(hashes for hashes in pinned.values())
    assert pinned == {package: LOCKED[package] for package in pinned}


@pytest.mark.parametrize("name", PACKAGED)
def test_a_build_runs_no_packages_own_build_script(name: str) -> None:
    assert "--only-binary :all:" in PACKAGED[name].read_text().splitlines()


@pytest.mark.parametrize("name", PACKAGED)
def test_a_build_has_nothing_left_to_resolve(name: str) -> None:
    """What a pinned package needs is pinned beside it, or else each build would bring what is newest that day."""
    pinned = {Requirement(package).name for package in sbom.pinned(PACKAGED[name])}
    needed = {
        canonicalize_name(needs.name)
        for name in pinned
        for needs in map(Requirement, requires(name) or [])
        if needs.marker is None or needs.marker.evaluate({"extra": ""})
    }

    assert needed <= pinned


@pytest.mark.parametrize("architecture", MACHINES)
def test_pip_is_asked_for_wheels_of_lambdas_processor_alone(architecture: str) -> None:
    platforms = pip_variables(architecture)["PIP_PLATFORM"].split()

    # The tags of the wheels that are deployed today, and of those that sam build itself looks for.
    for tag in ("manylinux2014", "manylinux_2_17", "manylinux_2_28", "manylinux_2_34"):
        assert f"{tag}_{MACHINES[architecture]}" in platforms
    assert all(platform.endswith(MACHINES[architecture]) for platform in platforms)


@pytest.mark.parametrize("name", PACKAGED)
def test_a_bill_of_materials_names_each_package_with_version_licence_and_hashes(
    name: str, bills: dict[str, str]
) -> None:
    found = components(bills[name])

    assert set(found) == set(sbom.pinned(PACKAGED[name]))
    for package, hashes in sbom.pinned(PACKAGED[name]).items():
        (reference,) = found[package]["externalReferences"]
        assert {one["content"] for one in reference["hashes"]} == set(hashes)
        assert licences(found[package]), package


@pytest.mark.parametrize("name", PACKAGED)
def test_a_bill_of_materials_is_valid_cyclonedx(
    name: str, bills: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The parser of IRIs takes 0.1 s for each of the hundreds of addresses, all of them PyPI's.
    monkeypatch.delitem(Draft7Validator.FORMAT_CHECKER.checkers, "iri-reference")

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bills[name]) is None


def test_what_is_not_permissive_is_said_in_the_security_policy(bills: dict[str, str]) -> None:
    policy = (ROOT / "SECURITY.md").read_text()
    packages = [package for bill in bills.values() for package in components(bill).values()]
    parts = [*packages, *(part for package in packages for part in package.get("components", []))]
    copyleft = {
        part["name"]
        for part in parts
        # With OR a permissive one may be chosen; Pillow's optional parts are not in its wheels.
        if any(re.search(r"GPL|MPL|EPL", text) and " OR " not in text for text in licences(part))
        and part.get("scope") != "optional"
    }

    assert copyleft == {"libheif", "libde265", "x265"}
    assert all(f"| {name} |" in policy for name in copyleft)
