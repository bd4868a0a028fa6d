"""What a job has beside its image: a mask, and pictures for the model to look at. Checked first, kept once recorded."""

from dataclasses import dataclass

from functions.accept.http.bodies import BatchRequest, ImageRequest
from functions.accept.http.problems import InvalidRequestError
from functions.accept.jobs.images import check_mask, decoded_image
from functions.accept.jobs.lookup import job_erased
from functions.accept.jobs.uploads import check_upload, not_uploaded
from functions.accept.settings import AcceptSettings
from imagejobs.job_request import MASK, MAX_REFERENCE_BYTES, JobRequest, reference_name
from imagejobs.job_store import JobStore


@dataclass(frozen=True)
class Copied:
    """A picture that is copied from a key of the jobs bucket; `loc` is where the body names it.

    Without a `loc` it is an earlier job's.
    """

    name: str
    key: str
    loc: tuple[str | int, ...] = ()

    def keep(self, job_id: str, jobs: JobStore) -> None:
        """Keep it with a job; doing so twice does no harm.

        Raises:
            InvalidRequestError: the upload was deleted since it was checked.
            ConflictError: the earlier job was erased.
        """
        if not jobs.copy_input(job_id, self.key, self.name):
            raise not_uploaded(*self.loc) if self.loc else job_erased()


@dataclass(frozen=True)
class Beside:
    """A mask that was posted, and the pictures that are copied."""

    mask: bytes | None = None
    copies: tuple[Copied, ...] = ()

    @property
    def has_mask(self) -> bool:
        """Whether there is a mask, posted or copied."""
        return self.mask is not None or any(copied.name == MASK for copied in self.copies)

    def keep(self, job_id: str, jobs: JobStore) -> None:
        """Keep them with a job; raises as `Copied.keep` does."""
        for copied in self.copies:
            copied.keep(job_id, jobs)
        if self.mask is not None:
            jobs.put_input(job_id, self.mask, "image/png", MASK)


def beside_of_body(
    body: ImageRequest | BatchRequest, caller: str, jobs: JobStore, settings: AcceptSettings, *, is_claimed: bool
) -> Beside:
    """Check what a body names; not its uploads when an earlier post has claimed the job: they may be deleted by now.

    Raises:
        InvalidRequestError: a mask that is none, an upload that is not there, references that are too large together.
        PayloadTooLargeError: the base64 mask is over the limit.
    """
    keys = body.reference_keys or []
    copies = [Copied(reference_name(at + 1), key, ("reference_keys", at)) for at, key in enumerate(keys)]
    if body.mask_key is not None:
        copies.append(Copied(MASK, body.mask_key, ("mask_key",)))
    if not is_claimed:
        _check_uploads(body, caller, jobs)
    if body.mask_base64 is None:
        return Beside(copies=tuple(copies))
    mask = decoded_image(body.mask_base64, settings.max_image_base64_chars, "mask_base64")
    check_mask(mask, "mask_base64")
    return Beside(mask, tuple(copies))


def beside_of_retried(earlier: JobRequest, jobs: JobStore) -> Beside:
    """What the batch had that is edited again. What its reference_urls name is fetched anew."""
    names = [reference_name(number) for number in range(1, 1 + len(earlier.reference_keys or ()))]
    names += [MASK] if earlier.mask else []
    return Beside(copies=tuple(Copied(name, jobs.key(earlier.job_id, name)) for name in names))


def _check_uploads(body: ImageRequest | BatchRequest, caller: str, jobs: JobStore) -> None:
    if body.mask_key is not None:
        check_upload(body.mask_key, caller, jobs.bucket, "mask_key")
        mask = jobs.bucket.find_with_body(body.mask_key)
        if mask is None:  # deleted since
            raise not_uploaded("mask_key")
        check_mask(mask.body, "mask_key")
    total = 0
    for number, key in enumerate(body.reference_keys or []):
        total += check_upload(key, caller, jobs.bucket, "reference_keys", number).size
    if total > MAX_REFERENCE_BYTES:
        raise InvalidRequestError.at(
            "body",
            "reference_keys",
            msg=f"the references have {total:,} bytes together: the limit is {MAX_REFERENCE_BYTES:,}",
        )
