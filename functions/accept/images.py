"""The checks of an image that can be made before a job is recorded; the worker makes the thorough ones."""

import re
from base64 import b64decode
from binascii import Error as Base64Error

from functions.accept.problems import InvalidRequestError, PayloadTooLargeError
from imagejobs.image_types import HEAD_BYTES, refusal, sniffed_type
from imagejobs.storage import Bucket

UPLOAD_KEY_PATTERN = r"uploads/[0-9a-f-]{36}"


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
    """Name the media type of an image by its content; refuse what is no image of a supported type."""
    media_type = sniffed_type(image[:HEAD_BYTES])
    if media_type is None:
        raise InvalidRequestError.at("body", "image_base64", msg=refusal(image))
    return media_type


def check_upload(image_key: str, bucket: Bucket) -> None:
    """Refuse a key that no upload gave, or under which nothing was uploaded."""
    if not re.fullmatch(UPLOAD_KEY_PATTERN, image_key):
        raise InvalidRequestError.at("body", "image_key", msg="expected the image_key that POST /uploads answered")
    if bucket.find(image_key) is None:
        raise InvalidRequestError.at(
            "body", "image_key", msg="nothing was uploaded under this key: POST the image to the upload's url first"
        )
