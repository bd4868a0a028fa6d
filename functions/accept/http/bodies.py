"""The bodies that callers send."""

from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from functions.accept.http.edit_body import SOURCE_URL, EditRequest, whole
from functions.accept.http.validators import Fits, within_the_owners_bound
from imagejobs.callbacks import Optionally
from imagejobs.executions import JOB_ID_PATTERN
from imagejobs.outbound.policy import MAX_URL_LENGTH

# Unicode's category Cc, for a pattern.
CONTROL = r"\x00-\x1f\x7f-\x9f"
NAME = Fits(rf"^[^{CONTROL}]*$", "expected a name without control characters")
FOLDER = Fits(JOB_ID_PATTERN, "expected the folder that POST /uploads answered")


class ImageRequest(EditRequest):
    """One image to edit: a prompt, and the image by exactly one of its fields."""

    filename: Annotated[
        Optionally[str],
        Field(max_length=255, description="The image's file name; it comes back in the callback and names the result."),
        NAME,
    ] = None
    image_base64: Annotated[
        Optionally[str], Field(description="The image as strict base64, without a data: prefix.")
    ] = None
    image_key: Annotated[
        Optionally[str],
        Field(max_length=512, description="The image_key of an earlier POST /uploads, for large images."),
    ] = None
    image_url: Annotated[
        Optionally[str],
        Field(
            max_length=MAX_URL_LENGTH,
            description="An https URL from which the service fetches the image.",
        ),
        SOURCE_URL,
    ] = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        sources = [name for name in ("image_base64", "image_key", "image_url") if getattr(self, name) is not None]
        if len(sources) != 1:
            found = f"got {' and '.join(sources)}" if sources else "got none of them"
            raise ValueError(f"expected exactly one of image_base64, image_key and image_url; {found}")
        return self


class BatchRequest(EditRequest):
    """A prompt for every image under the input bucket's prefix; the choices narrow what is read and where it goes."""

    prefix: Annotated[
        Optionally[str],
        Field(max_length=512, description="Edit only the images below this folder of the configured input prefix."),
        Fits(
            rf"^([^/{CONTROL}][^{CONTROL}]*)?$",
            "expected a folder below the configured one: no slash at its start, no control characters",
        ),
    ] = None
    folder: Annotated[
        Optionally[str],
        Field(description="Edit the images of this folder, which POST /uploads answered, in place of a prefix's."),
        FOLDER,
    ] = None
    max_files: Annotated[
        Optionally[int],
        Field(strict=True, ge=1, le=1_000_000, description="Edit at most this many images, in key order."),
        BeforeValidator(whole),
    ] = None
    output_prefix: Annotated[
        Optionally[str],
        Field(description="One path segment put between the configured output prefix and the job's id."),
        Fits(
            r"^([A-Za-z0-9_-][A-Za-z0-9._-]{0,63})?$",
            "expected 1 to 64 letters, digits, dots, dashes or underscores, not beginning with a dot",
        ),
    ] = None
    dry_run: Annotated[
        Optionally[bool],
        Field(
            strict=True,
            description="With true nothing is edited or paid: the callback's errors say how many images would be "
            "edited, and for about how much.",
        ),
    ] = None
    max_cost_usd: Annotated[
        Optionally[float],
        Field(
            strict=True,
            ge=0.01,
            allow_inf_nan=False,
            description="What the batch may cost in US dollars: when the estimate is above, the job fails before "
            "anything is paid.",
        ),
        AfterValidator(within_the_owners_bound),
    ] = None

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if self.prefix is not None and self.folder is not None:
            raise ValueError("expected prefix or folder, not both: a folder of uploads is read as a whole")
        return self
