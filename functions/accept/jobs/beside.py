"""What a job has beside its image: a mask, and pictures for the model to look at. Checked first, kept once recorded."""

from dataclasses import dataclass, field

from functions.accept.http.bodies import BatchRequest, ImageRequest
from functions.accept.http.problems import InvalidRequestError
from functions.accept.jobs.images import check_mask, decoded_image
from functions.accept.jobs.uploads import check_upload
from functions.accept.settings import AcceptSettings
from imagejobs.job_request import MASK, MAX_REFERENCE_BYTES, JobRequest, reference_name
from imagejobs.job_store import JobStore


@dataclass(frozen=True)
class Beside:
    """A mask that was posted, and by their names the pictures that are copied, each from a key of the jobs bucket."""

    mask: bytes | None = None
    copies: dict[str, str] = field(default_factory=dict)

    @property
    def has_mask(self) -> bool:
        """Whether there is a mask, posted or copied."""
        return self.mask is not None or MASK in self.copies

    def keep(self, job_id: str, jobs: JobStore) -> None:
        """Keep them with a job; doing so twice does no harm."""
        if self.mask is not None:
            jobs.put_input(job_id, self.mask, "image/png", MASK)
        for name, key in self.copies.items():
            jobs.copy_input(job_id, key, name)


def beside_of_body(
    body: ImageRequest | BatchRequest, caller: str, jobs: JobStore, settings: AcceptSettings, *, is_claimed: bool
) -> Beside:
    """Check what a body names; not its uploads when an earlier post has claimed the job: they may be deleted by now.

    Raises:
        InvalidRequestError: a mask that is none, an upload that is not there, references that are too large together.
        PayloadTooLargeError: the base64 mask is over the limit.
    """
    keys = body.reference_keys or []
    copies = {reference_name(number): key for number, key in enumerate(keys, start=1)}
    if body.mask_key is not None:
        copies[MASK] = body.mask_key
    if not is_claimed:
        _check_uploads(body, caller, jobs)
    if body.mask_base64 is None:
        return Beside(copies=copies)
    mask = decoded_image(body.mask_base64, settings.max_image_base64_chars, "mask_base64")
    check_mask(mask, "mask_base64")
    return Beside(mask, copies)


def beside_of_retried(earlier: JobRequest, jobs: JobStore) -> Beside:
    """What the batch had that is edited again. What its reference_urls name is fetched anew."""
    names = [reference_name(number) for number in range(1, 1 + len(earlier.reference_keys or ()))]
    names += [MASK] if earlier.mask else []
    return Beside(copies={name: jobs.key(earlier.job_id, name) for name in names})


def _check_uploads(body: ImageRequest | BatchRequest, caller: str, jobs: JobStore) -> None:
    if body.mask_key is not None:
        check_upload(body.mask_key, caller, jobs.bucket, "mask_key")
        check_mask(jobs.bucket.get(body.mask_key).body, "mask_key")
    total = 0
    for number, key in enumerate(body.reference_keys or []):
        total += check_upload(key, caller, jobs.bucket, "reference_keys", number).size
    if total > MAX_REFERENCE_BYTES:
        raise InvalidRequestError.at(
            "body",
            "reference_keys",
            msg=f"the references have {total:,} bytes together: the limit is {MAX_REFERENCE_BYTES:,}",
        )
