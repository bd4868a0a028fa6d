"""Opens a file by its content and decodes it, with every failure as an error that is meant for the caller."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from functions.process_image import scan
from functions.process_image.colours import keyed, uncovered_is_transparent
from functions.process_image.structure import by_type, png, tiff
from functions.process_image.structure.findings import Findings
from imagejobs.errors import ImageTooLargeError, JobError, UnsupportedImageError
from imagejobs.image_types import HEAD_BYTES, refusal, sniffed_type

# The cap on pixels is checked below, exactly and before anything is decoded; Pillow's own only warns at first.
Image.MAX_IMAGE_PIXELS = None
# One text may take what Pillow grants all of them: programs keep whole workflows in one.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
_PATTERN = bytes(range(256))
# How Pillow's messages about what it cannot read begin, where nothing says that the file is damaged.
_NOT_TAKEN = ("unknown pixel mode", "unsupported", "cannot handle", "not yet supported")


@dataclass
class OpenedFile:
    """A file that is an image of a type that is taken, not yet decoded."""

    body: bytes
    media_type: str
    image: ImageFile
    findings: Findings

    @property
    def frames(self) -> int:
        """How many frames or pages there are; what phones add to a JPEG (MPO) makes it no animation."""
        if self.findings.frames is not None:
            return self.findings.frames
        return 1 if self.media_type == "image/jpeg" else getattr(self.image, "n_frames", 1)

    def check(self) -> None:
        """Decode, to know that the file is whole. A JPEG at an eighth of its size: all is read, little is kept."""
        self.image.draft(self.image.mode, (1, 1))
        self.decoded()

    def decoded(self) -> Image.Image:
        """Decode the first frame, as it is meant to be seen."""
        findings = self.findings
        if findings.scan and self.image.tile:
            scan.load(self.image, self.body, *findings.scan)
        elif self.media_type == "image/png" and self.image.tile:
            _load_to_last_row(self.image, self.body)
        self.image.load()
        image: Image.Image = self.image
        if findings.crop and image.format == "AVIF":
            image = _cropped(image, findings)
        if findings.covered:
            image = uncovered_is_transparent(image, findings.covered)
        return image


@contextmanager
def opened(body: bytes, max_pixels: int) -> Iterator[OpenedFile]:
    """Open a file by its content, with every failure until the end of the block as a JobError.

    Raises:
        UnsupportedImageError: no image, a damaged one, or one of a type that is not taken.
        ImageTooLargeError: more than `max_pixels`, or a decoder would unfold more.
    """
    media_type = sniffed_type(body[:HEAD_BYTES])
    if media_type is None:
        raise UnsupportedImageError(refusal(body))
    try:
        findings = by_type.read(body, media_type)
        _check_size(findings.largest, max_pixels)
        with _open(body, media_type, findings) as image:
            _check_size(image.size, max_pixels)
            keyed(image, findings.depth)
            yield OpenedFile(body, media_type, image, findings)
    except JobError:
        raise
    except (struct.error, IndexError, KeyError) as error:  # whose messages tell of this program
        raise UnsupportedImageError(
            f"damaged {media_type} file: it breaks off, or its parts do not fit together"
        ) from error
    except Exception as error:  # hostile bytes make decoders raise nearly anything
        raise UnsupportedImageError(_in_words(error, body, media_type)) from error


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageTooLargeError(
            f"the image has {width} x {height} = {width * height:,} pixels; the limit is {max_pixels:,}"
        )


def _open(body: bytes, media_type: str, findings: Findings) -> ImageFile:
    file = BytesIO(tiff.classic(body) if tiff.is_big_endian_big_tiff(body) else body)
    formats = _formats(media_type)
    # Pillow's own reader takes planes of 16 bits for ones of 8, and knows no premultiplied ones.
    TiffImagePlugin.READ_LIBTIFF = findings.planes
    try:
        return Image.open(file, formats=formats)
    except UnidentifiedImageError as error:
        # It swallows what the plugins said, and names an object in memory instead.
        raise SyntaxError(_reason(body, formats)) from error


def _reason(body: bytes, formats: list[str]) -> str:
    """What the plugin of a type says of a file that it cannot open."""
    try:
        Image.OPEN[formats[-1]][0](BytesIO(body), "")
    except SyntaxError as error:
        return str(error)
    except Exception:  # noqa: BLE001 - plugins raise nearly anything
        return "its header cannot be read"
    return "its header cannot be read"


def _in_words(error: Exception, body: bytes, media_type: str) -> str:
    message = str(error)
    if media_type == "image/tiff" and (message.startswith("unknown pixel mode") or message.isdecimal()):
        return f"a TIFF of this kind is not taken ({tiff.kind(body)}): save it with 8 bits a sample, in RGB"
    if "MAX_TEXT" in message:
        return "the PNG has over 64 MB of text: save it without its metadata"
    if message.lower().startswith(_NOT_TAKEN):
        return f"an {media_type} file of this kind is not taken ({message}): save it as PNG or JPEG"
    return f"damaged {media_type} file: {message}"


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


def _load_to_last_row(image: ImageFile, body: bytes) -> None:
    """Decode a PNG: Pillow takes one whose data end too soon, and leaves the rest black.

    So it decodes onto a canvas that has a pattern in the last row. A picture that has it there, too, is looked at more
    closely.
    """
    row = png.last_row(body)
    canvas, box = Image.new(image.mode, image.size), (0, row, image.width, row + 1)
    size = len(canvas.crop(box).tobytes())
    pattern = (_PATTERN * (size // len(_PATTERN) + 1))[:size]
    canvas.paste(Image.frombytes(image.mode, (image.width, 1), pattern), box)
    before = canvas.crop(box).tobytes()
    image.im = canvas.im
    image.load()
    if canvas.crop(box).tobytes() == before and png.data_bytes(body) < png.expected_bytes(body):
        raise ValueError("it has less data than its picture")


def _cropped(image: Image.Image, findings: Findings) -> Image.Image:
    """Apply an AVIF's crop; cropping comes before turning (AVIF 1.1, section 4.2; MIAF 7.3.6.7)."""
    made = image.crop(findings.crop)
    made.info = image.info
    return made
