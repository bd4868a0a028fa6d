"""What `sam build` makes for the other processor holds wheels of the pinned hashes, or is not made."""

import hashlib
import platform
import sys
import zipfile
from pathlib import Path

import pytest
from aws_lambda_builders.builder import LambdaBuilder
from aws_lambda_builders.exceptions import WorkflowFailedError

from tools.wheels import MACHINES, pip_variables

FOREIGN = "x86_64" if platform.machine() in ("arm64", "aarch64") else "arm64"
PACKAGE = "painter"


def wheel(folder: Path, machine: str) -> Path:
    """Make a wheel of compiled code for a processor, as an index has it."""
    tag = f"cp313-cp313-manylinux_2_28_{machine}"
    info = f"{PACKAGE}-1.0.dist-info"
    files = {
        f"{PACKAGE}/machine.txt": machine,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n",
        f"{info}/RECORD": "",
    }
    path = folder / f"{PACKAGE}-1.0-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """One wheel for each architecture, in the only index that pip is to look into."""
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    for name, value in pip_variables(FOREIGN).items():
        monkeypatch.setenv(name, value)
    return {architecture: wheel(index, machine) for architecture, machine in MACHINES.items()}


def build(folder: Path, pinned: list[Path]) -> Path:
    """Build a layer for the other processor as `sam build` does, its requirements.txt with these wheels' hashes."""
    source, built = folder / "source", folder / "built"
    source.mkdir()
    hashes = " ".join(f"--hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in pinned)
    (source / "requirements.txt").write_text(f"{PACKAGE}==1.0 {hashes}\n")
    (folder / "scratch").mkdir()
    LambdaBuilder(language="python", dependency_manager="pip", application_framework=None).build(
        str(source),
        str(built),
        str(folder / "scratch"),
        str(source / "requirements.txt"),
        runtime="python3.13",
        architecture=FOREIGN,
        executable_search_paths=[str(Path(sys.executable).parent)],
    )
    return built


def test_a_layer_for_the_other_processor_is_built_of_pinned_wheels(tmp_path: Path, wheels: dict[str, Path]) -> None:
    built = build(tmp_path, pinned=list(wheels.values()))

    assert (built / PACKAGE / "machine.txt").read_text() == MACHINES[FOREIGN]


def test_a_wheel_of_another_hash_is_refused_for_the_other_processor_too(
    tmp_path: Path, wheels: dict[str, Path]
) -> None:
    not_pinned = wheels.pop(FOREIGN)

    with pytest.raises(WorkflowFailedError, match=hashlib.sha256(not_pinned.read_bytes()).hexdigest()):
        build(tmp_path, pinned=list(wheels.values()))
