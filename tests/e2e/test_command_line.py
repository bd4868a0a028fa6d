"""The command line as a person uses it: processes of its own, against the service on the embedded AWS."""

import json
import os
import signal
import subprocess
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from local.stack import StackInfo
from standins.openai import OpenAIStandIn
from tests.support.pictures import picture
from tests.support.waiting import PATIENCE, wait_until

PROGRAM = str(Path(__file__).parents[2] / ".venv" / "bin" / "imagejobs")


@dataclass(frozen=True)
class CommandLine:
    """Runs `imagejobs` in a folder of the test's own, with nothing but the stack's address."""

    environment: dict[str, str]
    folder: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command."""
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        # Where the tests run in the background of a shell, every program of theirs would pass over Ctrl-C.
        pipes["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        return subprocess.Popen([PROGRAM, *arguments], env=self.environment, cwd=self.folder, text=True, **pipes)

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command to its end and give back what it wrote to stdout."""
        with self.start(*arguments) as program:
            out, err = program.communicate(timeout=PATIENCE)
        assert program.returncode == code, f"{program.returncode}: {out}{err}"
        return out

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command for scripts."""
        return json.loads(self.run(*arguments, "--json", code=code))


@pytest.fixture
def imagejobs(stack: StackInfo, tmp_path: Path, openai: OpenAIStandIn) -> CommandLine:
    """The command line of a person who has never used it."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    here = {"HOME": str(tmp_path), "IMAGEJOBS_ADDRESS": stack.api_url, "COLUMNS": "100"}
    return CommandLine(kept | here, tmp_path)


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
    return image


def test_one_picture_small_or_large_is_edited_into_a_file(imagejobs: CommandLine, openai: OpenAIStandIn) -> None:
    folder = imagejobs.folder
    (folder / "été.png").write_bytes(picture())
    large = BytesIO()
    Image.effect_noise((1300, 1300), 80).convert("RGB").save(large, "BMP")
    (folder / "large.bmp").write_bytes(large.getvalue())
    assert len(large.getvalue()) > 5_000_000

    assert imagejobs.run("edit", "été.png", "make it winter").startswith("✓ été-edited.png · about $0.0")
    done = imagejobs.json("edit", "large.bmp", "make it winter", "--out", "winter.png")

    assert opened(folder / "été-edited.png").size == (64, 48)
    assert opened(folder / "winter.png").format == "PNG"
    assert done["job"]["delivery"]["status"] == "not_requested"
    shown = imagejobs.json("show", done["job"]["job_id"])
    assert (shown["status"], len(openai.calls)) == ("completed", 2)
    assert "✗" not in imagejobs.run("doctor")


def test_a_refused_picture_says_why_and_ends_with_6(imagejobs: CommandLine, openai: OpenAIStandIn) -> None:
    openai.fail("moderation")
    (imagejobs.folder / "a.png").write_bytes(picture())

    with imagejobs.start("edit", "a.png", "p") as program:
        out, err = program.communicate(timeout=PATIENCE)

    assert (program.returncode, out) == (6, "")
    assert "rejected by the safety system" in err.replace("\n", " ")


def test_ctrl_c_leaves_a_job_running_that_cancel_ends(imagejobs: CommandLine, openai: OpenAIStandIn) -> None:
    openai.fail("hang", seconds=5)
    (imagejobs.folder / "a.png").write_bytes(picture())

    with imagejobs.start("edit", "a.png", "p") as program:
        wait_until(lambda: openai.calls, what="the edit")
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=PATIENCE)
    assert program.returncode == 130
    job_id = err.partition("imagejobs watch ")[2].split()[0]

    assert imagejobs.json("cancel", job_id) == {"job_id": job_id, "accepted": True}
    assert imagejobs.json("watch", job_id, code=6)["job"]["status"] == "cancelled"


def test_a_folder_is_edited_its_failed_picture_again_and_all_of_it_seen(
    imagejobs: CommandLine, openai: OpenAIStandIn
) -> None:
    names = {"a.png", "b.jpg", "sub/é 1.png", "sub/c.webp"}
    for name in names:
        path = imagejobs.folder / "holiday" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture())
    (imagejobs.folder / "holiday" / "notes.txt").write_text("buy milk")
    openai.fail("moderation", times=1)

    done = imagejobs.json("batch", "holiday", "make it winter", "--out", "results", code=7)
    job_id, images = done["job"]["job_id"], done["images"]
    (failed,) = [image for image in images if image["status"] == "failed"]
    assert "rejected by the safety system" in failed["error"]
    assert ({image["file"] for image in images}, done["skipped"]) == (names, {"notes.txt": "not a picture"})
    assert (imagejobs.folder / done["contact_sheet"]).stat().st_size > 1000

    again = imagejobs.json("retry", job_id[:13], "--out", "results")
    assert [image["file"] for image in again["images"]] == [failed["file"]]
    results = [image["path"] for image in [*images, *again["images"]] if image["status"] == "completed"]
    assert {opened(imagejobs.folder / path).format for path in results} == {"PNG"}
    assert len(set(results)) == len(names)
    assert len(openai.calls) == len(names) + 1

    listed = imagejobs.json("jobs", "--operation", "batch")["jobs"]
    assert [job["job_id"] for job in listed[:2]] == [again["job"]["job_id"], job_id]
    assert "3 edited · 1 failed" in imagejobs.run("show", job_id)
