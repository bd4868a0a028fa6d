"""What a caller asked for, as it is recorded."""

from pydantic import AwareDatetime, BaseModel, ConfigDict

from imagejobs.edit_options import EditOptions
from imagejobs.workflow import Operation

# Whose jobs are those of callers who show nothing of who they are (`AccessControl=open`): such a job is everyone's.
EVERYONE = "everyone"


# The mask beside a job's input, and its reference pictures, from 1.
MASK = "mask"
# What all the reference pictures of a job may have together, in bytes as they come.
MAX_REFERENCE_BYTES = 50_000_000


def reference_name(number: int) -> str:
    """The name of a reference picture among a job's objects."""
    return f"reference-{number}"


class JobRequest(BaseModel):
    """What a caller asked for, as accepted."""

    # Other versions wrote fields that this one does not know, `fingerprint` for example.
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    job_id: str
    # Who posted it: `key:` and the API key's id, `jwt:` and a digest of the token's issuer and subject, or EVERYONE.
    caller: str = EVERYONE
    operation: Operation
    prompt: str
    # None for a job without a receiver, whose caller reads the result.
    callback_url: str | None = None
    # Where the progress is posted; None for nowhere.
    progress_url: str | None = None
    correlation_id: str
    created_at: AwareDatetime
    filename: str | None = None
    # Where a single image comes from when it was not posted: an upload's key in the jobs bucket, or a URL.
    image_key: str | None = None
    image_url: str | None = None
    # What the caller chose of how the image is edited; None for nothing.
    options: EditOptions | None = None
    # Whether there is a mask, and the upload that it came from, if any.
    mask: bool | None = None
    mask_key: str | None = None
    # Further pictures that are shown to the model. Those of uploads are numbered first, then those of URLs, which a
    # batch fetches once and keeps, too.
    reference_keys: list[str] | None = None
    reference_urls: list[str] | None = None
    # Batch choices: a folder below the configured prefix, or one of uploads in its place; how many files at the most; a
    # segment of the output prefix.
    prefix: str | None = None
    folder: str | None = None
    max_files: int | None = None
    output_prefix: str | None = None
    # Whether a batch is only estimated, and what its estimate may come to.
    dry_run: bool | None = None
    max_cost_usd: float | None = None
    # The batch whose failed images this one edits again.
    retry_of: str | None = None

    @property
    def reference_count(self) -> int:
        """How many reference pictures there are."""
        return len(self.reference_keys or ()) + len(self.reference_urls or ())

    def reference_url(self, number: int) -> str | None:
        """The URL of a reference picture, counted from 1; None for one of an upload."""
        at = number - 1 - len(self.reference_keys or ())
        return self.reference_urls[at] if self.reference_urls and at >= 0 else None
