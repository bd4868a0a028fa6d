"""Python tools for watsonx Orchestrate: between the file of an upload form and the base64 that the API takes.

They run in WXO's own sandbox and need nothing beyond Python and the development kit.
"""

import base64
import binascii

from ibm_watsonx_orchestrate.agent_builder.tools import ToolPermission, tool
from pydantic import BaseModel, Field


class EncodedImage(BaseModel):
    """An image as base64."""

    image_base64: str = Field(description="The image as strict base64, without a data: prefix.")


@tool(
    name="image_to_base64",
    display_name="Image file to base64",
    permission=ToolPermission.READ_ONLY,
    description="Turns an uploaded image file into the base64 text that processImageAsyncToBase64 takes. Use it in a "
    "flow, for images of up to 4 MB. Do not use it for a larger one, nor from a model: upload_image gives an image_key "
    "instead. It costs nothing. Gives back image_base64. Example: the file of a flow's upload form.",
)
def image_to_base64(image: bytes) -> EncodedImage:
    """Turns an uploaded image file into base64 text.

    Args:
        image (bytes): The image file.

    Returns:
        EncodedImage: The image as base64.
    """
    return EncodedImage(image_base64=base64.b64encode(image).decode("ascii"))


@tool(
    name="base64_to_image",
    display_name="Base64 to image file",
    permission=ToolPermission.READ_ONLY,
    description="Turns base64 text, such as result_image_base64 of processImageAsyncToBase64, into an image file that "
    "can be shown. Use it in a flow. Do not use it from a model: fetch_result brings a job's result. It costs nothing. "
    "Gives back the image file. Example: result_image_base64 of a flow's edit.",
)
def base64_to_image(image_base64: str) -> bytes:
    """Turns base64 text into an image file.

    Args:
        image_base64 (str): The image as base64, without a data: prefix.

    Returns:
        bytes: The image file.
    """
    try:
        return base64.b64decode(image_base64, validate=True)
    except binascii.Error as error:
        raise ValueError(f"image_base64 is not base64 ({error}); pass result_image_base64 as it came") from error
