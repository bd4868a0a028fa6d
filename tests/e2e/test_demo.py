"""`make demo KEEP=1` with a folder as people have it, as a process: what it shows, and how it is stopped."""

import json
import re
import signal
from pathlib import Path

import httpx2
from PIL import Image
from pillow_heif import from_pillow

from local import processes
from local.deployment import ROOT
from tests.e2e.test_soak import start

SHEET = ROOT / ".local" / "demo" / "contact-sheet.png"


def test_a_folder_of_photos_is_edited_and_the_page_stays_up_until_ctrl_c(tmp_path: Path) -> None:
    photos, state = tmp_path / "photos", tmp_path / "state"
    photos.mkdir()
    from_pillow(Image.linear_gradient("L").convert("RGB")).save(photos / "Été à Zürich.heic")
    # Above what a request may hold, so that it is uploaded: noise does not compress.
    Image.effect_noise((1500, 1000), 90).convert("RGB").save(photos / "large.png", compress_level=0)
    run = start("demo", "--images", str(photos), "--keep", "--state-dir", str(state))
    told, shown = "", run.stdout
    assert shown is not None
    try:
        while "Ctrl-C" not in told:
            line = shown.readline()
            assert line, told
            told += line
        started = processes.recorded(state / "processes.json")
        page = re.search(r"the page: (\S+)", told)
        assert page
        assert httpx2.get(page[1], timeout=30).headers["Content-Type"].startswith("text/html")
        jobs = httpx2.get(page[1].replace("/console", "/jobs"), timeout=30).json()["jobs"]
        assert sorted(job["status"] for job in jobs) == ["completed"] * 5
        assert json.loads((state / "stack.json").read_text())["api_url"] == page[1].removesuffix("/console")
    finally:
        run.send_signal(signal.SIGINT)
        rest = run.communicate(timeout=120)[0]

    assert (run.returncode, rest.splitlines()[-1]) == (0, "stopped: nothing is left running")
    assert not any(one.alive() for one in started)
    flat = " ".join(re.sub(r"[│┃]", " ", told).split())
    assert all(maker in flat for maker in ("OpenAI stand-in", "Amazon Bedrock", "Google Gemini", "$0.0700"))
    assert "balloons" not in flat
    with Image.open(SHEET) as sheet:
        assert sheet.width > 1700
