"""The checks of a posted image before its job is recorded; the worker makes the thorough ones."""

from base64 import b64decode
from binascii import Error as Base64Error

from functions.accept.http.problems import InvalidRequestError, PayloadTooLargeError
from imagejobs.image_types import HEAD_BYTES, refusal, sniffed_type


def decoded_image(text: str, max_characters: int) -> bytes:
    """Decode strict base64 of at most `max_characters`."""
    if len(text) > max_characters:
        raise PayloadTooLargeError(
            f"image_base64 has {len(text):,} characters; the limit is {max_characters:,}. Send larger images through "
            "POST /uploads and name them by image_key, or give an image_url"
        )
    if text.startswith("data:"):
        raise InvalidRequestError.at("body", "image_base64", msg="expected base64 alone, without a data: prefix")
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError) as error:
        raise InvalidRequestError.at("body", "image_base64", msg=f"expected strict base64: {error}") from None


def check_image(image: bytes) -> str:
    """Name the media type of an image by its content; refuse a file of another type."""
    media_type = sniffed_type(image[:HEAD_BYTES])
    if media_type is None:
        raise InvalidRequestError.at("body", "image_base64", msg=refusal(image))
    return media_type
