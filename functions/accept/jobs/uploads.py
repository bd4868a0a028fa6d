"""Direct uploads: of a large image to the jobs bucket, and of a batch's images to a folder of the input bucket."""

import mimetypes
import re
import uuid

from functions.accept.http.answers import FolderUpload, Upload, UploadFolder
from functions.accept.http.problems import InvalidRequestError
from functions.accept.http.upload_bodies import FolderRequest, UploadRequest
from imagejobs.storage import Bucket, StoredObject
from imagejobs.upload_folders import folder_prefix, uploads_prefix


def create_upload(upload: UploadRequest, caller: str, bucket: Bucket, expires_in: int) -> Upload:
    """Make a form that takes exactly `upload.size` bytes of that type, once signed, for `expires_in` seconds."""
    key = f"{uploads_prefix(caller)}{uuid.uuid4()}"
    url, fields = _form(bucket, key, upload.size, upload.content_type, expires_in)
    return Upload(image_key=key, url=url, fields=fields, expires_in=expires_in)


def create_folder(
    wanted: FolderRequest, caller: str, inputs: Bucket, expires_in: int, *, by_form: bool
) -> UploadFolder:
    """Make an address for each file, once signed for `expires_in` seconds, which takes exactly the file's size.

    With `by_form` it is a form, or else a PUT: of the operations on objects IBM COS knows no upload by a form ("About
    the IBM Cloud Object Storage S3 API").
    """
    folder = wanted.folder or str(uuid.uuid4())
    prefix = folder_prefix(caller, folder)
    uploads = []
    for file in wanted.files:
        key, name = f"{prefix}{file.filename}", {"filename": file.filename}
        if by_form:
            media_type = mimetypes.guess_type(file.filename)[0] or "application/octet-stream"
            url, fields = _form(inputs, key, file.size, media_type, expires_in)
            uploads.append(FolderUpload(**name, url=url, method="POST", fields=fields))
        else:
            sent = {"Bucket": inputs.name, "Key": key, "ContentLength": file.size}
            url = inputs.client.generate_presigned_url("put_object", Params=sent, ExpiresIn=expires_in)
            uploads.append(FolderUpload(**name, url=url, method="PUT", fields={}))
    return UploadFolder(folder=folder, uploads=uploads, expires_in=expires_in)


def _form(bucket: Bucket, key: str, size: int, media_type: str, expires_in: int) -> tuple[str, dict[str, str]]:
    """A presigned POST: its URL and fields.

    S3 itself enforces the conditions (Amazon S3 API reference, "POST Policy": content-length-range, eq).
    """
    form = bucket.client.generate_presigned_post(
        Bucket=bucket.name,
        Key=key,
        Fields={"Content-Type": media_type},
        Conditions=[["content-length-range", size, size], {"Content-Type": media_type}],
        ExpiresIn=expires_in,
    )
    return form["url"], form["fields"]


def check_upload(image_key: str, caller: str, bucket: Bucket, *loc: str | int) -> StoredObject:
    """Refuse a key, given at `loc` of the body, that no upload of this caller's gave, or without its file."""
    loc = loc or ("image_key",)
    if not re.fullmatch(rf"{uploads_prefix(caller)}[0-9a-f-]{{36}}", image_key):
        raise InvalidRequestError.at("body", *loc, msg="expected the image_key that POST /uploads answered")
    found = bucket.find(image_key)
    if found is None:
        raise not_uploaded(*loc)
    return found


def not_uploaded(*loc: str | int) -> InvalidRequestError:
    """What is told of a key, given at `loc` of the body, whose file is not there: not yet, or not any more."""
    return InvalidRequestError.at(
        "body", *loc, msg="nothing was uploaded under this key: POST the image to the upload's url first"
    )


def check_folder(folder: str, caller: str, inputs: Bucket) -> None:
    """Refuse a folder into which this caller has uploaded nothing."""
    if next(inputs.keys(folder_prefix(caller, folder), page_size=1), None) is None:
        raise InvalidRequestError.at(
            "body", "folder", msg="nothing was uploaded into this folder: send the files to their addresses first"
        )
