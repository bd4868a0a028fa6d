"""Writes what is deployed as CycloneDX bills of materials: `python -m tools.sbom FOLDER`, one file a layer or function.

Versions and hashes come from the requirements.txt that is built, licences and bundled libraries from the wheels as they
are installed here: their metadata, the bills of materials in their `sboms/` (PEP 770) and `LICENSES_bundled.txt`.
"""

import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from cyclonedx.contrib.hash.factories import HashTypeFactory
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement

from imagejobs import __version__

ROOT = Path(__file__).parents[1]
_PINNED = re.compile(r"^(\w\S*)(?: ; [^\\]+)?((?: \\\n +--hash=\S+)+)", re.MULTILINE)
_BUNDLED = re.compile(r"^Name: (?P<name>.+)\nLicense: (?P<license>.+)\nFiles: (?P<stem>[^.\n]+)", re.MULTILINE)


def pinned(requirements: Path) -> dict[str, list[str]]:
    """The packages of a requirements.txt, `name==version`, each with its SHA-256 hashes."""
    found = _PINNED.findall(requirements.read_text())
    return {package: re.findall(r"--hash=sha256:(\w+)", hashes) for package, hashes in found}


def packaged() -> dict[str, Path]:
    """The requirements.txt of each layer and function that has packages of its own, by the folder's name."""
    paths = [*ROOT.glob("layers/*/requirements.txt"), *ROOT.glob("functions/*/requirements.txt")]
    return {path.parent.name: path for path in sorted(paths) if pinned(path)}


def bill_of(name: str, requirements: Path) -> Bom:
    """The bill of materials of one layer or function.

    Raises:
        ValueError: a package is installed here in another version than the one that is pinned.
    """
    bom = Bom()
    bom.metadata.component = Component(name=name, version=__version__, type=ComponentType.APPLICATION)
    bom.components.update(_component(Requirement(package), hashes) for package, hashes in pinned(requirements).items())
    bom.register_dependency(bom.metadata.component, bom.components)
    return bom


def _component(package: Requirement, hashes: list[str]) -> Component:
    installed = distribution(package.name)
    if not package.specifier.contains(installed.version):
        raise ValueError(f"{package} is pinned, {installed.version} is installed: run `make setup`")
    page = XsUri(f"https://pypi.org/project/{package.name}/{installed.version}/")
    wheels = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=page,
        hashes=[HashTypeFactory().from_composite_str(f"sha256:{digest}") for digest in hashes],
    )
    return Component(
        name=package.name,
        version=installed.version,
        type=ComponentType.LIBRARY,
        purl=PackageURL("pypi", name=package.name, version=installed.version),
        licenses=[LicenseFactory().make_from_string(_license(installed))],
        external_references=[wheels],
        components=_bundled(installed),
    )


def _license(installed: Distribution) -> str:
    metadata = installed.metadata
    return metadata.get("License-Expression") or metadata["License"]


def _bundled(installed: Distribution) -> Iterator[Component]:
    """The libraries that a wheel brings inside it."""
    files = installed.files or []
    names = [file.name for file in files]
    for file in files:
        text = file.locate()
        if file.parent.name == "sboms" and file.suffix == ".json":
            bill = Bom.from_json(json.loads(Path(text).read_text()))  # type: ignore[attr-defined]
            for component in bill.components:
                if component.name == installed.name:
                    continue  # the wheel itself
                component.bom_ref.value = None  # unique within that bill alone
                yield component
        elif file.name == "LICENSES_bundled.txt":
            for library in _BUNDLED.finditer(Path(text).read_text()):
                # Without those that other systems' wheels alone have.
                if any(name.startswith(library["stem"]) for name in names):
                    yield Component(
                        name=library["name"],
                        type=ComponentType.LIBRARY,
                        licenses=[LicenseFactory().make_from_string(library["license"])],
                    )


def main(folder: Path) -> None:
    """Write all bills of materials into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, requirements in packaged().items():
        path = folder / f"{name}.cdx.json"
        JsonV1Dot6(bill_of(name, requirements)).output_to_file(str(path), allow_overwrite=True, indent=2)
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
