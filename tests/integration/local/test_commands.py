"""What the commands of this machine say when they cannot do their work."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from local import sam_local
from local.__main__ import app
from local.processes import StartError


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "make sam-local EVENT=events/accept/health.json"),
        (["events/accept/health.json"], "no stack is up: make up"),
    ],
)
def test_what_sam_local_lacks_is_told_as_the_command_that_gives_it(
    tmp_path: Path, arguments: list[str], told: str
) -> None:
    done = CliRunner().invoke(app, ["invoke", *arguments, "--state-dir", str(tmp_path)], env={"COLUMNS": "300"})

    assert (done.exit_code, done.output.startswith("not invoked: "), told in done.output) == (1, True, True)


def test_a_missing_docker_engine_is_told_with_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")

    with pytest.raises(StartError) as refused:
        sam_local.engine()

    assert str(refused.value) == (
        f"no Docker engine answers at unix://{tmp_path}/docker.sock: start Docker, or set DOCKER_HOST"
    )
