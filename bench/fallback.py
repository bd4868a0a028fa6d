"""Measures the local fallback against the plain way to make it.

Each way runs in a process of its own, several times, on the same photograph-like picture: `seconds` is the fastest
run, `peak` by how much the process's peak memory grew over what it had with modules, fonts and the input
loaded, `bytes` the size of the PNG.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

from bench.figures import Figure
from functions.process_image.fallback import invert

SIZES = [(512, 512), (2048, 1536), (4096, 4096)]
WATERMARK = "Local fallback: OpenAI billing limit reached"
RUNS = 3
# At least four times faster, at most 60 % of the memory, at most 1.4 times the bytes.
TARGETS = {"seconds": 0.25, "peak": 0.6, "bytes": 1.4}
NOISE = 4  # standard deviation of a camera's noise in good light, of 255
_MAX_SECONDS = 300


def photograph(width: int, height: int) -> Image.Image:
    """A picture with the soft gradients and fine noise of a photograph; another one each time."""
    channels = []
    for _ in range(3):
        soft = Image.effect_noise((max(2, width // 64), max(2, height // 64)), 90).filter(ImageFilter.GaussianBlur(1))
        scene = soft.resize((width, height), Image.Resampling.BICUBIC)
        channels.append(ImageChops.add(scene, Image.effect_noise((width, height), NOISE), offset=-128))
    return Image.merge("RGB", channels)


def small_photo() -> bytes:
    """A small photograph-like picture, as JPEG."""
    buffer = BytesIO()
    photograph(512, 384).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def plain(body: bytes) -> bytes:
    """The reference: RGBA throughout, the text on an overlay of the picture's size, PNG at Pillow's default."""
    image = Image.open(BytesIO(body)).convert("RGBA")
    red, green, blue, alpha = image.split()
    inverted = ImageOps.invert(Image.merge("RGB", (red, green, blue)))
    inverted.putalpha(alpha)
    overlay = Image.new("RGBA", image.size, (0, 0, 0, 0))
    font = ImageFont.load_default(max(12, image.width // 24))
    ImageDraw.Draw(overlay).text((20, 20), WATERMARK, fill=(255, 0, 0, 200), font=font)
    buffer = BytesIO()
    Image.alpha_composite(inverted, overlay).save(buffer, "PNG")
    return buffer.getvalue()


def ours(body: bytes) -> bytes:
    """The fallback as the function makes it."""
    return invert(body, WATERMARK, max_pixels=64_000_000)


WAYS: dict[str, Callable[[bytes], bytes]] = {"plain": plain, "ours": ours}


def run(way: str, path: str) -> dict[str, float]:
    """Run one way in this process."""
    body = Path(path).read_bytes()
    small = BytesIO()
    Image.new("RGB", (128, 128)).save(small, "JPEG")
    WAYS[way](small.getvalue())  # loads plugins and fonts
    before = _peak()
    seconds, made = [], b""
    for _ in range(RUNS):
        started = time.perf_counter()
        made = WAYS[way](body)
        seconds.append(time.perf_counter() - started)
    return {"seconds": min(seconds), "peak": _peak() - before, "bytes": len(made)}


def _peak() -> int:
    """This process's peak memory in KiB. (getrusage's begins at what the parent held; Linux's VmHWM does not.)"""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def measure() -> Iterator[Figure]:
    """Measure both ways on a picture of each size, each in a fresh process; every figure is ours ÷ plain."""
    for width, height in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/photograph.jpg"
            _run("--draw", f"{width}x{height}", path)
            plain_way, our_way = (json.loads(_run("--measure", way, path)) for way in WAYS)
        for what, target in TARGETS.items():
            ratio = our_way[what] / plain_way[what]
            yield Figure(f"fallback {width}x{height}, {what}, ours ÷ plain", ratio, target, "ratio")


def _run(*arguments: str) -> bytes:
    command = [sys.executable, "-m", "bench.fallback", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=_MAX_SECONDS).stdout  # noqa: S603


def main(arguments: list[str]) -> None:
    """Draw or measure in this process, for `measure`."""
    match arguments:
        case ["--draw", size, path]:
            width, _, height = size.partition("x")
            photograph(int(width), int(height)).save(path, quality=90)
        case ["--measure", way, path]:
            print(json.dumps(run(way, path)))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
