"""Measures the local fallback against the plain way to make it; prints one JSON line for each size.

    python -m bench.fallback [width x height …]

Each way runs in a process of its own, several times, on the same photograph-like picture: `seconds` is the fastest
run, `peak_bytes` what the process's peak memory (getrusage) grew by over what it had with modules, fonts and the input
loaded, `bytes` the size of the PNG.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

from functions.process_image.fallback import invert

SIZES = [(512, 512), (2048, 1536), (4096, 4096)]
WATERMARK = "Local fallback: OpenAI billing limit reached"
RUNS = 3
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
    return invert(body, WATERMARK, max_pixels=50_000_000)


WAYS: dict[str, Callable[[bytes], bytes]] = {"plain": plain, "ours": ours}


def measure(way: str, path: str) -> dict[str, float]:
    """Run one way in this process."""
    body = Path(path).read_bytes()
    small = BytesIO()
    Image.new("RGB", (128, 128)).save(small, "JPEG")
    WAYS[way](small.getvalue())  # loads plugins and fonts
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, made = [], b""
    for _ in range(RUNS):
        started = time.perf_counter()
        made = WAYS[way](body)
        seconds.append(time.perf_counter() - started)
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    return {"seconds": min(seconds), "peak_bytes": peak, "bytes": len(made)}


def compare(width: int, height: int) -> dict[str, object]:
    """Measure both ways on one picture, each in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/photograph.jpg"
        # In a process of its own as well: a child's peak begins at what its parent holds.
        _run("--draw", f"{width}x{height}", path)
        figures = {way: json.loads(_run("--measure", way, path)) for way in WAYS}
    reference, own = figures["plain"], figures["ours"]
    return {
        "figure": f"fallback {width}x{height}",
        "times_faster": round(reference["seconds"] / own["seconds"], 2),
        "peak_ratio": round(own["peak_bytes"] / reference["peak_bytes"], 3),
        "bytes_ratio": round(own["bytes"] / reference["bytes"], 3),
        "reach": {"times_faster": ">= 4", "peak_ratio": "<= 0.6", "bytes_ratio": "<= 1.4"},
        **figures,
    }


def _run(*arguments: str) -> bytes:
    command = [sys.executable, "-m", "bench.fallback", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=_MAX_SECONDS).stdout  # noqa: S603


def main(arguments: list[str]) -> None:
    """Print the figures of each size."""
    match arguments:
        case ["--draw", size, path]:
            photograph(*_size(size)).save(path, quality=90)
        case ["--measure", way, path]:
            print(json.dumps(measure(way, path)))  # noqa: T201
        case _:
            for width, height in [_size(argument) for argument in arguments] or SIZES:
                print(json.dumps(compare(width, height)), flush=True)  # noqa: T201


def _size(text: str) -> tuple[int, int]:
    width, height = text.split("x")
    return int(width), int(height)


if __name__ == "__main__":
    main(sys.argv[1:])
