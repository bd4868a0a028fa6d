"""Types of images by their first bytes, and the suffixes of their files."""

import mimetypes

# So many of a file's first bytes tell its type.
HEAD_BYTES = 16
# The first bytes of each type of image that the service takes, and where they stand.
_SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (0, b"BM", "image/bmp"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"II+\0", "image/tiff"),
    (0, b"MM\0+", "image/tiff"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypavi", "image/avif"),
    *((4, b"ftyp" + brand, "image/heic") for brand in (b"hei", b"hev", b"mif1", b"msf1")),
)


def image_type(head: bytes) -> str | None:
    """The type of an image by its first bytes; None for what the service does not take."""
    for at, signature, kind in _SIGNATURES:
        if head.startswith(signature, at):
            return kind
    return None


def suffix_of(content_type: str | None) -> str:
    """The file suffix for a type of image, such as `.png`."""
    known = {"image/jpeg": ".jpg", "image/webp": ".webp"}
    return known.get(content_type or "") or mimetypes.guess_extension(content_type or "") or ".png"
