"""The checks of a posted image before its job is recorded; the worker makes the thorough ones."""

import re
from base64 import b64decode
from binascii import Error as Base64Error

from functions.accept.http.problems import InvalidRequestError, PayloadTooLargeError
from imagejobs.image_types import HEAD_BYTES, refusal, sniffed_type

MAX_MASK_BYTES = 4_000_000
# What clients send in place of strict base64 (RFC 4648, section 4), and what to do about it: the first that is found in
# the text has it. A text may have megabytes, so no pattern tries more than one way through it.
_MISTAKES = {
    r"\A\s*(?i:data):": "this is a data: URL: send what follows its comma",
    r"\A\s*(?i:https?)://": "this is a URL: give it as image_url",
    r"\A\s*(?i:file):|\A[^\r\n]{1,1024}\.\w{2,5}\s*\Z": "this is a file's name: send the base64 of what the file holds",
    r"\Ab['\"]": "this is Python's notation of bytes, b'…': send .decode() of them",
    r"\A\s*['\"`\u201c\u2018]": "the text is in quotation marks: send what is between them",
    r"\\": r"the text has backslashes (\n, \/): it was escaped once too often",
    r"[\r\n]": "the text has line breaks: send one line (base64 -w0, openssl base64 -A, Java's Base64.getEncoder())",
    r"[ \t]": "the text has spaces: remove them, or send + where a form's encoding made them of it",
    r"%[0-9A-Fa-f]{2}": "the text is percent-encoded: decode it first",
    r"[-_]": "this is base64url, with - and _: send the standard alphabet, with + and / in their place",
    r"[^A-Za-z0-9+/=]": "the text has characters outside A-Z, a-z, 0-9, + and /",
    r"=[^=]": "there is a = before the end: send the base64 of the whole file, encoded as one",
}


def decoded_image(text: str, max_characters: int, field: str = "image_base64") -> bytes:
    """Decode a field's strict base64 of at most `max_characters`."""
    if len(text) > max_characters:
        raise PayloadTooLargeError(
            f"{field} has {len(text):,} characters; the limit is {max_characters:,}. Send larger images through "
            "POST /uploads and name them by image_key, or give an image_url"
        )
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise InvalidRequestError.at("body", field, msg=f"expected strict base64: {_mistake(text)}") from None


def _mistake(text: str) -> str:
    """Say what is wrong with a text that is not strict base64, and what to do."""
    for pattern, advice in _MISTAKES.items():
        if re.search(pattern, text):
            return advice
    characters = len(text.rstrip("="))
    if characters % 4 == 1:
        return f"{characters:,} characters are not a whole number of bytes: the text was cut off on its way"
    padding = "=" * (-characters % 4) or "no ="
    return f"the padding is missing or wrong: {characters:,} characters are followed by {padding}"


def check_image(image: bytes) -> str:
    """Name the media type of an image by its content; refuse a file of another type."""
    media_type = sniffed_type(image[:HEAD_BYTES])
    if media_type is None:
        raise InvalidRequestError.at("body", "image_base64", msg=refusal(image))
    return media_type


def check_mask(mask: bytes, field: str) -> None:
    """Refuse a mask that is not a PNG with transparency under 4 MB (`mask` of images.edit, OpenAI's API reference)."""
    if len(mask) >= MAX_MASK_BYTES:
        problem = f"the mask has {len(mask):,} bytes: it must be under {MAX_MASK_BYTES:,}"
    elif sniffed_type(mask[:HEAD_BYTES]) != "image/png":
        problem = "expected a PNG with transparency: where it is transparent, the image is to change"
    elif not _has_alpha(mask):
        problem = "the PNG has no transparency: make it transparent where the image is to change"
    else:
        return
    raise InvalidRequestError.at("body", field, msg=problem)


def _has_alpha(png: bytes) -> bool:
    """Whether a PNG has an alpha channel (colour types 4 and 6), or a chunk tRNS before its data (PNG, 11.2.1)."""
    return png[25:26] in (b"\x04", b"\x06") or b"tRNS" in png[: png.find(b"IDAT") + 1]
