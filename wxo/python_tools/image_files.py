"""Python tools for watsonx Orchestrate: an image file goes to the service, and an edited image comes back as a file.

They run in WXO's own sandbox, since only WXO's own tools can read its files, and need nothing beyond Python, the kit
and requests, which the kit brings along. Address and credentials are the connection's: that of an open stack has the
address alone, as a key-value connection with the entry `url`.
"""

from pathlib import PurePath
from urllib.parse import quote

import requests
from ibm_watsonx_orchestrate.agent_builder.connections import (
    ConnectionSecurityScheme,
    ConnectionType,
    ExpectedCredentials,
)
from ibm_watsonx_orchestrate.agent_builder.tools import ToolPermission, WXOFile, tool
from ibm_watsonx_orchestrate.run import connections
from pydantic import BaseModel, Field

APP_ID = "image_jobs"
CREDENTIALS = ExpectedCredentials(
    app_id=APP_ID, type=[ConnectionType.API_KEY_AUTH, ConnectionType.OAUTH2_CLIENT_CREDS, ConnectionType.KEY_VALUE]
)
# What POST /uploads takes, by the endings of file names.
TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".avif": "image/avif",
    ".heic": "image/heic",
}
# Seconds for an answer and for a file: WXO ends a tool after two minutes.
ANSWER_TIMEOUT = 25
FILE_TIMEOUT = 60


class UploadedImage(BaseModel):
    """An image that was uploaded, or why it was not."""

    image_key: str = Field(default="", description="The name by which editImage takes the image; empty with an error.")
    filename: str = Field(default="", description="The file's name.")
    error: str = Field(default="", description="Why the image was not taken; empty when it was.")


@tool(
    name="upload_image",
    display_name="Upload an image file",
    description="Uploads an image file of up to 50 MB to the image service and gives back the image_key that editImage "
    "takes. Use it when the user has given a file in the chat. Do not use it for an image at a web address: editImage "
    "takes that as image_url. It costs nothing by itself. Gives back image_key and filename, or error, which says why "
    "the file was not taken. Example: 'Here is my photo, make the sky red.'",
    permission=ToolPermission.READ_WRITE,
    expected_credentials=[CREDENTIALS],
)
def upload_image(image: WXOFile) -> UploadedImage:
    """Uploads an image file and gives back its image_key.

    Args:
        image (WXOFile): The image file: PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or HEIC.

    Returns:
        UploadedImage: The image_key for editImage and the file's name, or an error.
    """
    name = WXOFile.get_file_name(image) or PurePath(image.partition("?")[0]).name
    content_type = TYPES.get(PurePath(name).suffix.lower()) or WXOFile.get_file_type(image)
    if content_type not in TYPES.values():
        endings = ", ".join(ending.removeprefix(".") for ending in TYPES)
        return UploadedImage(filename=name, error=f"{name} is not an image of a supported type: expected {endings}.")
    content = WXOFile.get_content(image)
    size = WXOFile.get_file_size(image)
    if size is not None and size != len(content):
        return UploadedImage(filename=name, error=f"{name} could not be read: {len(content)} of {size} bytes came.")
    url, credentials = _api()
    asked = {"filename": name, "content_type": content_type, "size": len(content)}
    answer = requests.post(f"{url}/uploads", json=asked, headers=credentials, timeout=ANSWER_TIMEOUT)
    if not answer.ok:
        return UploadedImage(filename=name, error=_reason(answer))
    form = answer.json()
    sent = requests.post(form["url"], data=form["fields"], files={"file": content}, timeout=FILE_TIMEOUT)
    if not sent.ok:
        return UploadedImage(filename=name, error=f"The storage did not take {name}: it answered {sent.status_code}.")
    return UploadedImage(image_key=form["image_key"], filename=name)


@tool(
    name="fetch_result",
    display_name="Fetch an edited image",
    description="Brings the edited image of a completed job into the chat as a file. Use it to show an image that "
    "editImage or an earlier job has edited. Do not use it while the job runs (getJob tells) or for a batch, whose "
    "results are in the output bucket. It costs nothing. Gives back the image file; when there is none, the error says "
    "why. Example: 'Show me the result of job 5f0c1d9e-6f3a-4c3b-9b1e-0a4d6c7e8f90.'",
    permission=ToolPermission.READ_ONLY,
    expected_credentials=[CREDENTIALS],
)
def fetch_result(job_id: str) -> bytes:
    """Brings the edited image of a completed job into the chat as a file.

    Args:
        job_id (str): The id of the job, as editImage, getJob or listJobs gave it.

    Returns:
        bytes: The edited image.
    """
    url, credentials = _api()
    answer = requests.get(f"{url}/jobs/{quote(job_id, safe='')}", headers=credentials, timeout=ANSWER_TIMEOUT)
    if not answer.ok:
        raise ValueError(_reason(answer))
    job = answer.json()
    link = job.get("result", {}).get("result_url")
    if link is None:
        why = job.get("error") or "only a completed job of a single image has one"
        raise ValueError(f"Job {job_id} has no image to fetch: its status is {job['status']}; {why}.")
    image = requests.get(link, timeout=FILE_TIMEOUT)
    if not image.ok:
        raise ValueError(f"The image of job {job_id} could not be read: the storage answered {image.status_code}.")
    return image.content


def _api() -> tuple[str, dict[str, str]]:
    """The service's address, and the header with the credentials."""
    kind = connections.connection_type(APP_ID)
    if kind == ConnectionSecurityScheme.API_KEY_AUTH:
        by_key = connections.api_key_auth(APP_ID)
        url, header = by_key.url, {"x-api-key": by_key.api_key}
    elif kind == ConnectionSecurityScheme.OAUTH2:
        by_token = connections.oauth2_client_creds(APP_ID)
        url, header = by_token.url, {"Authorization": f"Bearer {by_token.access_token}"}
    else:
        url, header = connections.key_value(APP_ID).get("url"), {}
    if not url:
        raise ValueError(f"The connection {APP_ID} has no server URL: give it the address of the image service.")
    return url.rstrip("/"), header


def _reason(answer: requests.Response) -> str:
    """What the service said: `detail` is a sentence, or a list with one for each part that is wrong."""
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return f"The service answered {answer.status_code}."
    said = detail if isinstance(detail, str) else "; ".join(one["msg"] for one in detail)
    return f"The service answered {answer.status_code}: {said}."
