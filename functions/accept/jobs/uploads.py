"""Direct uploads of large images: a presigned POST to the jobs bucket, bound to size and type."""

import re
import uuid
from hashlib import sha256

from functions.accept.http.answers import Upload
from functions.accept.http.bodies import UploadRequest
from functions.accept.http.problems import InvalidRequestError
from imagejobs.storage import Bucket, StoredObject


def create_upload(upload: UploadRequest, caller: str, bucket: Bucket, expires_in: int) -> Upload:
    """Make a form that takes exactly `upload.size` bytes of that type, once signed, for `expires_in` seconds.

    S3 itself enforces the conditions (Amazon S3 API reference, "POST Policy": content-length-range, eq).
    """
    key = f"{_prefix(caller)}{uuid.uuid4()}"
    form = bucket.client.generate_presigned_post(
        Bucket=bucket.name,
        Key=key,
        Fields={"Content-Type": upload.content_type},
        Conditions=[["content-length-range", upload.size, upload.size], {"Content-Type": upload.content_type}],
        ExpiresIn=expires_in,
    )
    return Upload(image_key=key, url=form["url"], fields=form["fields"], expires_in=expires_in)


def check_upload(image_key: str, caller: str, bucket: Bucket, *loc: str | int) -> StoredObject:
    """Refuse a key, given at `loc` of the body, that no upload of this caller's gave, or without its file."""
    loc = loc or ("image_key",)
    if not re.fullmatch(rf"{_prefix(caller)}[0-9a-f-]{{36}}", image_key):
        raise InvalidRequestError.at("body", *loc, msg="expected the image_key that POST /uploads answered")
    found = bucket.find(image_key)
    if found is None:
        raise InvalidRequestError.at(
            "body", *loc, msg="nothing was uploaded under this key: POST the image to the upload's url first"
        )
    return found


def _prefix(caller: str) -> str:
    """Where a caller's uploads lie: the key itself says whose it is, before anything is looked up."""
    return f"uploads/{sha256(caller.encode()).hexdigest()}/"
