"""How much memory a picture takes, measured in a process of its own."""

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageCms
from pillow_heif import register_heif_opener

from tests.support.waiting import PATIENCE
from tests.unit.process_image.files import avif_with_crop
from tests.unit.process_image.odd_files import linear_grey_profile

register_heif_opener()

ROOT = Path(__file__).parents[3]
SIDE = 2000
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# A little for the allocator.
SLACK_BYTES = 8_000_000

# `VmHWM` is the peak of this program alone; getrusage's begins at that of the process that started it.
MEASURE = """
import json, sys
from pathlib import Path
from functions.process_image.fallback import invert
from functions.process_image.memory import needed
from functions.process_image.opening import opened
from functions.process_image.pictures import prepare
from functions.process_image.settings import ProcessImageSettings
def peak():
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024
body = Path(sys.argv[1]).read_bytes()
limit = ProcessImageSettings().max_image_pixels
with opened(body, limit) as file:
    stated = needed(file)
before = peak()
made = prepare(body, limit).body if sys.argv[2] == "prepare" else invert(body, "Local fallback", limit)
print(json.dumps([peak() - before, stated - len(body)]))
"""


def turned(image: Image.Image, path: Path) -> None:
    image.convert("RGBA").save(path, "PNG", exif=_turned().tobytes(), icc_profile=SRGB, compress_level=1)


def turned_photo(image: Image.Image, path: Path) -> None:
    """As a phone held upright makes it."""
    image.save(path, "JPEG", exif=_turned().tobytes(), icc_profile=SRGB, progressive=True, subsampling=0)


def turned_webp(image: Image.Image, path: Path) -> None:
    image.convert("RGBA").save(path, "WEBP", method=0, exif=_turned().tobytes(), icc_profile=SRGB)


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def smaller_than_its_screen(image: Image.Image, path: Path) -> None:
    image.convert("P").crop((0, 0, 8, 8)).save(path, "GIF")
    body = path.read_bytes()
    path.write_bytes(body[:6] + struct.pack("<HH", SIDE, SIDE) + body[10:])


CASES: dict[str, tuple[str, Callable[[Image.Image, Path], object]]] = {
    "a PNG as it is": ("prepare", lambda image, path: image.save(path, "PNG", compress_level=1)),
    "a JPEG as it is": ("prepare", lambda image, path: image.save(path, "JPEG")),
    "a WebP as it is": ("prepare", lambda image, path: image.save(path, "WEBP", method=0)),
    "a PNG to be turned, with a profile": ("prepare", turned),
    "a JPEG to be turned, with a profile": ("prepare", turned_photo),
    "a WebP to be turned, with a profile": ("prepare", turned_webp),
    "a CMYK JPEG": ("prepare", lambda image, path: image.convert("CMYK").save(path, "JPEG")),
    "a TIFF of 16 bits": ("prepare", lambda image, path: Image.new("I;16", image.size, 9999).save(path, "TIFF")),
    "a GIF": ("prepare", lambda image, path: image.convert("P").save(path, "GIF")),
    "a GIF smaller than its screen": ("prepare", smaller_than_its_screen),
    "an AVIF with a crop": ("prepare", lambda image, path: path.write_bytes(avif_with_crop(SIDE, SIDE))),
    "a grey TIFF with a profile": (
        "prepare",
        lambda image, path: image.convert("LA").save(path, "TIFF", icc_profile=linear_grey_profile()),
    ),
    "an AVIF": ("prepare", lambda image, path: image.save(path, "AVIF", speed=10)),
    "a HEIC with a profile": ("prepare", lambda image, path: image.save(path, "HEIF", quality=40, icc_profile=SRGB)),
    "a fallback of a JPEG": ("invert", lambda image, path: image.save(path, "JPEG", progressive=True)),
    "a fallback of a WebP": ("invert", lambda image, path: image.convert("RGBA").save(path, "WEBP", method=0)),
}


def photograph() -> Image.Image:
    """A picture that compresses as photographs do."""
    noise = Image.effect_noise((SIDE // 4, SIDE // 4), 40).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return Image.merge("RGB", (noise, noise.rotate(90), noise.rotate(180)))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("what", "write"), CASES.values(), ids=CASES)
def test_memory_is_bounded_as_stated(what: str, write: Callable[[Image.Image, Path], object], tmp_path: Path) -> None:
    path = tmp_path / "picture"
    write(photograph(), path)

    command = [sys.executable, "-c", MEASURE, str(path), what]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'common'}"}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, check=True, timeout=PATIENCE)

    peak, stated = json.loads(done.stdout)
    assert peak <= stated + SLACK_BYTES
