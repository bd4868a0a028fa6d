import platform
from pathlib import Path

import pytest

from local import deployment
from local.processes import StartError

SAMCONFIG = """
version = 0.1
[local.deploy.parameters]
parameter_overrides = ["Architecture=arm64", "CallbackAllowHttp=true", 'Text="two words"']
"""


def test_parameters_come_from_the_profile_the_machine_and_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "samconfig.toml").write_text(SAMCONFIG)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")

    parameters = deployment.local_parameters({"CallbackAllowHttp": "false", "LogLevel": "DEBUG"}, tmp_path)

    assert parameters == {
        "Architecture": "x86_64",
        "CallbackAllowHttp": "false",
        "Text": "two words",
        "LogLevel": "DEBUG",
    }


def test_parameters_are_name_value_pairs() -> None:
    assert deployment.parse_parameters("A=1 B='x y' C=a=b D=") == {"A": "1", "B": "x y", "C": "a=b", "D": ""}
    assert deployment.parse_parameters("") == {}
    with pytest.raises(StartError, match=r"not 'loud': .*LogLevel=DEBUG"):
        deployment.parse_parameters("A=1 loud")


def test_a_build_depends_on_the_sources_and_the_architecture(tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    source = tmp_path / "functions" / "app.py"
    source.write_text("one")
    (tmp_path / "template.yaml").write_text("{}")
    first = deployment._digest(tmp_path, "arm64")
    (tmp_path / "functions" / "__pycache__").mkdir()
    (tmp_path / "functions" / "__pycache__" / "app.pyc").write_text("compiled")

    assert deployment._digest(tmp_path, "arm64") == first
    assert deployment._digest(tmp_path, "x86_64") != first
    source.write_text("two")
    assert deployment._digest(tmp_path, "arm64") != first
