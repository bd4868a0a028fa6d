"""What a file costs that is made to cost much: measured in a process of its own that may not take more memory."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.process_image.hostile_files import REFUSED, TAKEN

ROOT = Path(__file__).parents[3]
# Of processor time, beside what it takes to start Python: a busy machine makes it no longer.
MAX_SECONDS = 2.0
MAX_BYTES = 512 << 20
# Little, so that the files need not be large.
MAX_PIXELS = 1_000_000
DEADLINE_SECONDS = 120

# The memory that the file itself and the program take is not the picture's; `resource` counts addresses, which the
# libraries' threads take much of, so that the limit holds for what is added to those of the start.
MEASURE = """
import json, resource, sys, time, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from imagejobs.errors import JobError
from functions.process_image.pictures import prepare
body = Path(sys.argv[1]).read_bytes()
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + int(sys.argv[2]),) * 2)
started = time.process_time()
try:
    made, message = True, prepare(body, int(sys.argv[3])).note
except JobError as error:
    made, message = False, str(error)
print(json.dumps([time.process_time() - started, made, message]))
"""


def cost(body: bytes, tmp_path: Path) -> tuple[float, bool, str | None]:
    """Processor seconds, whether the file is taken, and what is said of it."""
    path = tmp_path / "picture"
    path.write_bytes(body)
    command = [sys.executable, "-c", MEASURE, str(path), str(MAX_BYTES), str(MAX_PIXELS)]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'common'}"}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, check=True, timeout=DEADLINE_SECONDS)
    seconds, made, message = json.loads(done.stdout)
    return seconds, made, message


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("make", "message"), [pytest.param(*case, id=name) for name, case in REFUSED.items()])
def test_a_hostile_picture_is_refused_in_little_time_and_memory(
    make: Callable[[], bytes], message: str, tmp_path: Path
) -> None:
    seconds, made, said = cost(make(), tmp_path)

    assert not made
    assert message in (said or "")
    assert seconds < MAX_SECONDS


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in TAKEN.items()])
def test_frames_without_end_are_not_all_counted(make: Callable[[], bytes], tmp_path: Path) -> None:
    seconds, made, said = cost(make(), tmp_path)

    assert made
    assert said in (None, "only the first of over 1,000 frames was edited")
    assert seconds < MAX_SECONDS
