"""The README's example of one job works as it stands there."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.conftest import Service
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
PHOTO = "docs/contact-sheet.webp"


def example() -> str:
    """The example's commands, without those that start and stop a stack."""
    section = (ROOT / "README.md").read_text().split("## One job by hand")[1].split("\n## ")[0]
    lines = "\n".join(re.findall(r"```bash\n(.*?)```", section, re.DOTALL)).splitlines()
    return "\n".join(line for line in lines if line not in ("make up", "make down"))


@pytest.mark.skipif(not (shutil.which("jq") and shutil.which("curl")), reason="the example needs jq and curl")
def test_the_example_posts_a_photo_and_fetches_its_own_edit_or_tells_why_there_is_none(
    service: Service, tmp_path: Path
) -> None:
    described = {
        "api_url": str(service.http.base_url).rstrip("/"),
        "receiver_url": service.receiver.url("").rstrip("/"),
    }
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "stack.json").write_text(json.dumps(described))
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / PHOTO, tmp_path / PHOTO)

    # As pasted, then again, and then with a prompt that is refused.
    pasted = [example(), example(), example().replace("a warm evening light", "[fault:moderation]")]
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(pasted)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
        check=False,
    )

    assert (ran.returncode, ran.stderr.split()) == (0, ["202"] * 3), ran.stderr
    accepted = re.findall(r'^\{.*"job_id": ?"([\w-]+)"', ran.stdout, re.MULTILINE)
    called = re.findall(r'^ +"job_id": "([\w-]+)"', ran.stdout, re.MULTILINE)
    assert len(set(accepted)) == 3
    assert called == accepted
    assert ran.stdout.count("the edited photo: .local/edited.png") == 2
    assert re.search(r"^no photo: .*safety system", ran.stdout, re.MULTILINE)
    with Image.open(tmp_path / ".local" / "edited.png") as edited:
        assert edited.format == "PNG"
