"""Makes decoded pictures what OpenAI takes: upright, RGB or RGBA, 8 bits a sample, sRGB."""

from io import BytesIO

from PIL import Image, ImageChops, ImageCms, ImageOps

from functions.process_image.structure.findings import Box
from imagejobs.errors import UnsupportedImageError

ORIENTATION = 0x0112  # EXIF 2.3, 4.6.4
_ALPHA_MODES = {"LA", "PA", "La", "RGBA", "RGBa"}


def is_upright(image: Image.Image) -> bool:
    """Whether a picture is shown as it is stored. A PNG, whose EXIF data may come last, must be decoded before."""
    try:
        return image.getexif().get(ORIENTATION, 1) not in range(2, 9)
    except Exception:  # noqa: BLE001 - a picture is taken although its EXIF data is broken
        return True


def plain(image: Image.Image) -> Image.Image:
    """Make a decoded picture upright, RGB or RGBA, 8 bits, sRGB where it says what its colours mean.

    It is turned, and its colours are converted, in place where that can be: each copy would take 4 bytes a pixel.
    """
    if not is_upright(image):
        ImageOps.exif_transpose(image, in_place=True)
    profile = image.info.pop("icc_profile", None)
    image = _eight_bits(image)
    mode = "RGBA" if image.mode in _ALPHA_MODES or image.has_transparency_data else "RGB"
    if image.mode == "LAB":
        image, profile = _from_lab(image), None
    if image.mode == "La":  # Pillow knows the way to LA alone
        image = image.convert("LA")
    if profile:
        image = _to_srgb(image, profile, mode)
    return image if image.mode == mode else image.convert(mode)


def keyed(image: Image.Image, depth: int) -> None:
    """Give a PNG's colour key in the 8 bits a sample that its pixels are decoded to.

    The key has the file's own depth (PNG, 11.3.1.1). At 16 bits, colours that 8 bits do not tell apart go with it.
    """
    key = image.info.get("transparency")
    if image.mode in ("L", "I;16", "RGB") and depth != 8 and key is not None:
        samples = [sample * 255 // ((1 << depth) - 1) if depth < 8 else sample >> 8 for sample in _samples(key)]
        image.info["transparency"] = samples[0] if image.mode != "RGB" else tuple(samples)


def _samples(key: int | tuple[int, ...]) -> tuple[int, ...]:
    return key if isinstance(key, tuple) else (key,)


def uncovered_is_transparent(image: Image.Image, covered: Box) -> Image.Image:
    """What no frame covers of a GIF's screen is transparent, as browsers show it."""
    image = image.convert("RGBA")
    mask = Image.new("L", image.size)
    mask.paste(255, covered)
    image.putalpha(ImageChops.multiply(image.getchannel("A"), mask))
    return image


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # convert() would clip at 255 rather than scale.
        deep = image
        image = deep.convert("I").point(lambda value: value * (1 / 256)).convert("L")
        image.info = deep.info
    elif image.mode in ("I", "F"):
        raise UnsupportedImageError(
            f"a {image.format or 'picture'} with 32 bits a sample is not taken: save it with 8 or 16 bits"
        )
    return image


def _from_lab(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB") or image


def _to_srgb(image: Image.Image, profile: bytes, mode: str) -> Image.Image:
    """Take the colours by the profile that is meant for them; their alpha stays as it is."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        made = _profiled(image, source.profile.xcolor_space.strip(), mode)
        in_place = made.mode == "RGB"
        converted = ImageCms.profileToProfile(
            made, source, ImageCms.createProfile("sRGB"), outputMode="RGB", inPlace=in_place
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # A profile that is broken, or does not fit its picture, is as good as none.
    made = converted or made
    if mode == "RGBA":
        made.putalpha(image.convert("RGBA").getchannel("A"))
    return made


def _profiled(image: Image.Image, space: str, mode: str) -> Image.Image:
    """The picture in the mode that Little CMS takes for the profile's colour space."""
    if space == "GRAY" and image.mode in ("1", "L", "LA"):
        return image.convert("L")
    if space == "CMYK" and image.mode == "CMYK":
        return image
    if space == "RGB" and image.mode != "CMYK":
        return image.convert("RGB") if image.mode not in ("RGB", mode) else image
    raise ValueError(f"a {space} profile does not fit {image.mode}")
