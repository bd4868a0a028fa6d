"""Tells what a file is by its first bytes, never by its name."""

# How many bytes `sniffed_type` looks at.
HEAD_BYTES = 32

# Media type, offset, magic number. An ISO media file (AVIF, HEIC) has its brand behind `ftyp`.
_MAGIC = [
    ("image/png", 0, b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", 0, b"\xff\xd8\xff"),
    ("image/webp", 8, b"WEBP"),
    ("image/gif", 0, b"GIF87a"),
    ("image/gif", 0, b"GIF89a"),
    ("image/bmp", 0, b"BM"),
    ("image/tiff", 0, b"II*\x00"),
    ("image/tiff", 0, b"MM\x00*"),
    ("image/tiff", 0, b"II+\x00"),
    ("image/tiff", 0, b"MM\x00+"),
    *(("image/avif", 4, b"ftyp" + brand) for brand in (b"avif", b"avis")),
    *(("image/heic", 4, b"ftyp" + brand) for brand in (b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1")),
]


def sniffed_type(head: bytes) -> str | None:
    """Name the media type of an image the service takes by its first HEAD_BYTES; None for anything else."""
    for media_type, offset, magic in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return media_type
    return None
