"""Turns whatever file arrives into an image that OpenAI takes, or refuses it in words.

Memory: a picture of P pixels takes at most 20 P bytes beside the file itself and what is made of it. Pillow keeps up to
4 bytes a pixel, a conversion has the picture before and after it, and libwebp and libheif keep canvases of their own.
With the default limits that is 1,000 MB + 100 MB + 50 MB beside 85 MB of code: the function has 2,048 MB. Measured by
tests/integration/process_image/test_memory.py.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from functions.process_image import png
from functions.process_image.file_types import recognised
from imagejobs.errors import ImageTooLargeError, JobError, UnsupportedImageError

# What OpenAI takes: "png, webp, or jpg file less than 50MB" (images.edit in the API reference). In decimal megabytes,
# the smaller reading, and with room for the form around it.
OPENAI_MAX_BYTES = 49_900_000
OPENAI_TYPES = {"image/png", "image/jpeg", "image/webp"}
_PLAIN_MODES = {"RGB", "RGBA", "L"}
_ALPHA_MODES = {"LA", "PA", "La", "RGBA", "RGBa"}
_LOSSY_TYPES = {"image/jpeg", "image/heic", "image/avif"}
_ORIENTATION = 0x0112  # EXIF 2.3, 4.6.4
_BIT_DEPTH = 24  # where a PNG's IHDR has it (PNG, 11.2.2)

# The cap on pixels is checked below, exactly and before anything is decoded; Pillow's own only warns at first.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class Picture:
    """An image as it is sent to OpenAI; `note` says what the caller would not expect of it."""

    body: bytes
    media_type: str
    note: str | None = None


def prepare(body: bytes, max_pixels: int, max_bytes: int = OPENAI_MAX_BYTES) -> Picture:
    """Make a file an upright, 8-bit PNG, JPEG or WebP of at most `max_bytes`; one that is so already stays as it is.

    Raises:
        UnsupportedImageError: no image, a damaged one, or one of a type that is not taken.
        ImageTooLargeError: more than `max_pixels`.
    """
    media_type = recognised(body)
    with opened(body, max_pixels) as image:
        if len(body) <= max_bytes and _goes_as_it_is(image, body, media_type):
            _decode_to_check(image)
            return Picture(body, media_type)
        frames = _frames(image)
        notes = [f"only the first of {frames} frames was edited"] if frames > 1 else []
        image.load()
        encoded, scaled = _encode(_plain(image), media_type in _LOSSY_TYPES, max_bytes)
    return Picture(encoded.body, encoded.media_type, "; ".join(notes + scaled) or None)


def check(body: bytes, max_pixels: int) -> None:
    """Decode a file whole, and throw the picture away. Raises what `prepare` raises."""
    with opened(body, max_pixels) as image:
        _decode_to_check(image)


@contextmanager
def opened(body: bytes, max_pixels: int) -> Iterator[Image.Image]:
    """Open a file by its content, not yet decoded, with every failure until the end of the block as a JobError."""
    media_type = recognised(body)
    try:
        with Image.open(BytesIO(body), formats=_formats(media_type)) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise ImageTooLargeError(
                    f"the image has {width} x {height} = {width * height:,} pixels; the limit is {max_pixels:,}"
                )
            if media_type == "image/png":
                _check_chunks(body)
            yield image
    except JobError:
        raise
    except UnidentifiedImageError as error:  # whose words name an object in memory
        raise UnsupportedImageError(f"damaged {media_type} file: its header cannot be read") from error
    except Exception as error:  # hostile bytes make decoders raise nearly anything
        raise UnsupportedImageError(f"damaged {media_type} file: {error}") from error


def _check_chunks(body: bytes) -> None:
    """Check a PNG's chunks by their checksums, to the last one: its decoder looks at neither."""
    with Image.open(BytesIO(body), formats=["PNG"]) as image:
        image.verify()


def _formats(media_type: str) -> list[str]:
    """Pillow's names of a type; its decoders tell HEIC and AVIF apart, which share a container."""
    if media_type not in ("image/heic", "image/avif"):
        return [media_type.removeprefix("image/").upper()]
    try:
        from pillow_heif import register_heif_opener  # here, since it costs other types their start-up time
    except ModuleNotFoundError:  # `make requirements HEIC=0` left it out
        if media_type == "image/heic":
            raise UnsupportedImageError(
                "the file is a HEIC image, which this service was set up without: send it as JPEG or PNG"
            ) from None
        return ["AVIF"]
    register_heif_opener()
    return ["AVIF", "HEIF"]


def _goes_as_it_is(image: Image.Image, body: bytes, media_type: str) -> bool:
    return (
        media_type in OPENAI_TYPES
        and image.mode in _PLAIN_MODES
        and not (media_type == "image/png" and body[_BIT_DEPTH] > 8)
        and _frames(image) == 1
        and _is_upright(image)
    )


def _frames(image: Image.Image) -> int:
    # What phones add to a JPEG (MPO: a depth map, a second exposure) makes it no animation.
    return 1 if image.format == "MPO" else getattr(image, "n_frames", 1)


def _is_upright(image: Image.Image) -> bool:
    try:
        return image.getexif().get(_ORIENTATION, 1) not in range(2, 9)
    except Exception:  # noqa: BLE001 - broken EXIF data is no reason to refuse a picture
        return True


def _decode_to_check(image: Image.Image) -> None:
    """Decode, to know that the file is whole. A JPEG at an eighth of its size: all of it is read, little is kept."""
    image.draft(image.mode, (1, 1))
    image.load()


def _plain(image: Image.Image) -> Image.Image:
    """Make a decoded picture upright, RGB or RGBA, 8 bits, sRGB where it says what its colours mean."""
    if not _is_upright(image):
        image = ImageOps.exif_transpose(image)
    profile = image.info.pop("icc_profile", None)
    if image.mode.startswith("I;16"):
        # convert() would clip at 255 rather than scale.
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    elif image.mode in ("I", "F"):
        raise UnsupportedImageError(
            f"a {image.format or 'picture'} with 32 bits a sample is not taken: save it with 8 or 16 bits"
        )
    mode = "RGBA" if image.mode in _ALPHA_MODES or image.has_transparency_data else "RGB"
    if image.mode not in (mode, "CMYK"):
        image = image.convert(mode)
    if profile:
        image = _to_srgb(image, profile, mode)
    return image if image.mode == mode else image.convert(mode)


def _to_srgb(image: Image.Image, profile: bytes, mode: str) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode) or image
    except (ImageCms.PyCMSError, OSError):
        return image  # A profile that is broken, or does not fit its picture, is as good as none.


def _encode(image: Image.Image, lossy: bool, max_bytes: int) -> tuple[Picture, list[str]]:
    """Encode in at most `max_bytes`, scaled down as far as that needs: as JPEG what was lossy before, else as PNG."""
    size = image.size
    as_jpeg = lossy and image.mode == "RGB"
    while len(body := _jpeg(image) if as_jpeg else png.encode(image)) > max_bytes:
        factor = 0.95 * math.sqrt(max_bytes / len(body))
        image = image.resize([max(1, int(side * factor)) for side in image.size], Image.Resampling.LANCZOS)
    notes = []
    if image.size != size:
        sizes = "{} x {} to {} x {}".format(*size, *image.size)
        notes = [f"scaled down from {sizes} pixels to fit OpenAI's limit of 50 MB"]
    return Picture(body, "image/jpeg" if as_jpeg else "image/png"), notes


def _jpeg(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()
