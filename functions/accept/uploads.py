"""Direct uploads of large images: a presigned POST to the jobs bucket, bound to size and type."""

import uuid

from imagejobs.api import Upload, UploadRequest
from imagejobs.storage import Bucket


def create_upload(upload: UploadRequest, bucket: Bucket, expires_in: int) -> Upload:
    """Make a form that takes exactly `upload.size` bytes of that type, once signed, for `expires_in` seconds.

    S3 itself enforces the conditions (Amazon S3 API reference, "POST Policy": content-length-range, eq).
    """
    key = f"uploads/{uuid.uuid4()}"
    form = bucket.client.generate_presigned_post(
        Bucket=bucket.name,
        Key=key,
        Fields={"Content-Type": upload.content_type},
        Conditions=[["content-length-range", upload.size, upload.size], {"Content-Type": upload.content_type}],
        ExpiresIn=expires_in,
    )
    return Upload(image_key=key, url=form["url"], fields=form["fields"], expires_in=expires_in)
