"""Tells what a file is by its first bytes, never by its name: an image that is taken, or the thing it is instead."""

import re

# How many bytes `sniffed_type` looks at.
HEAD_BYTES = 32
TAKEN = "PNG, JPEG, WebP, GIF, BMP, TIFF, HEIC or AVIF"
CAMERA_RAW = "a camera raw file: export it as JPEG or TIFF"

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

# Camera raw files that their head tells: Canon's CR2, CR3 and CRW, Phase One's IIQ, Fujifilm's RAF, Olympus's ORF,
# Panasonic's RW2, Minolta's MRW, Sigma's X3F. The others (DNG, NEF, ARW, PEF, SRW …) begin as any TIFF does.
_CAMERA_RAW = re.compile(
    rb"(?s)II\*\x00....CR|II\*\x00....IIII|MM\x00\*....MMMM|....ftypcrx |II\x1a\x00\x00\x00HEAPCCDR|FUJIFILMCCD-RAW"
    rb"|IIR[OS]|MMOR|IIU\x00|\x00MRM|FOVb"
)

# Files that people do send, so that the answer can name them. The first pattern that matches the head has it. Groups
# that repeat are atomic and possessive: the files are strangers', and no pattern may try more than one way.
_REFUSED = {
    "a PDF document": rb"[\x00-\x20]*%PDF-",
    "an SVG drawing": rb"(?s)(\xef\xbb\xbf)?(?>\s|<\?xml.*?\?>|<!--.*?-->|<!DOCTYPE svg.*?>)*+<svg[\s>:/]",
    "an HTML page": rb"(?i)(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body)",
    "an XML document": rb"(\xef\xbb\xbf)?\s*<\?xml",
    "a JSON document": rb"(\xef\xbb\xbf)?\s*[{\[]\s*[\"{\[]",
    "a Photoshop document": rb"8BPS",
    "a PostScript document": rb"%!PS|\xc5\xd0\xd3\xc6",
    "a JPEG 2000 image": rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51",
    "a JPEG XL image": rb"\xff\x0a|\x00\x00\x00\x0cJXL ",
    "a JPEG XR image": rb"II\xbc\x01",
    "an icon": rb"\x00\x00[\x01\x02]\x00(?!\x00\x00)",
    "a Targa image": rb"\x00\x00[\x02\x03\x0a\x0b]\x00{6}",
    "a HEIC image of several layers or views": rb"(?s)....ftyphe(i|v)[ms]",
    "an OpenEXR image": rb"\x76\x2f\x31\x01",
    "a Radiance HDR image": rb"#\?RADIANCE",
    "a Netpbm image": rb"P[1-7fF][\s#]",
    "a DirectDraw surface": rb"DDS ",
    "a QOI image": rb"qoif",
    "a GIMP image": rb"gimp xcf",
    "a DICOM image": rb"(?s).{128}DICM",
    "a FITS image": rb"SIMPLE  =",
    "a sound file": rb"(?s)....ftypM4[ABP]|RIFF....WAVE|ID3|OggS|fLaC",
    "a video": rb"(?s)....ftyp|\x1a\x45\xdf\xa3|RIFF....AVI ",
    "a ZIP archive (or an office document, which is one)": rb"PK\x03\x04",
    "an archive": rb"\x1f\x8b|7z\xbc\xaf|Rar!|BZh|\xfd7zXZ",
    "a program": rb"MZ|\x7fELF",
    "an image in base64 text": rb"(data:image/[\w.+-]+;base64,)?"
    rb"(iVBORw0KGg|/9j/|UklGR|R0lGOD|SUkqA|TU0AK|Qk[0-3]|AAAA....Z0eX)",
    "plain text": rb"[\t\n\r\x20-\x7e]{16,}",
}
_LOOK_AT = 4096


def sniffed_type(head: bytes) -> str | None:
    """Name the media type of an image the service takes by its first HEAD_BYTES; None for anything else."""
    if _CAMERA_RAW.match(head):
        return None
    for media_type, offset, magic in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return media_type
    return None


def refusal(body: bytes) -> str:
    """Say what a file is that `sniffed_type` does not name, and what is expected instead."""
    if not body:
        return f"the file is empty: expected {TAKEN}"
    if _CAMERA_RAW.match(body[:HEAD_BYTES]):
        return f"the file is {CAMERA_RAW}"
    head = body[:_LOOK_AT]
    kind = next((kind for kind, pattern in _REFUSED.items() if re.match(pattern, head)), "of no known type")
    return f"the file is {kind}: expected {TAKEN}"
