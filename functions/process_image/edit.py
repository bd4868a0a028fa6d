"""The way of one image: read it, prepare it, have it edited, keep the edit. Never paid twice."""

from dataclasses import dataclass
from time import monotonic

from functions.process_image import fallback
from functions.process_image.engines import openai
from functions.process_image.engines.openai import BillingLimitError, Edit, RateLimitedError
from functions.process_image.pictures import Picture, prepare
from functions.process_image.places import Places
from functions.process_image.settings import ProcessImageSettings
from imagejobs.errors import ContentFlaggedError, JobDecidedError, OpenAIRejectedError
from imagejobs.job_store import JobRequest
from imagejobs.output_keys import output_key
from imagejobs.workflow import EditedImage, EditRequest, RateLimited


@dataclass(frozen=True)
class Engine:
    """What edits a picture: OpenAI, with this key, until `deadline` on the clock of `time.monotonic`."""

    settings: ProcessImageSettings
    api_key: str
    deadline: float
    # Whose job it is.
    owner: str = ""

    def edit(self, picture: Picture, prompt: str, *, may_fall_back: bool) -> Edit:
        """Have a picture edited, locally where OpenAI's billing limit is reached and `may_fall_back`.

        Raises:
            ContentFlaggedError: screening is on, and flagged the picture or the prompt; nothing was paid.
            RateLimitedError: OpenAI asks to wait.
            OpenAIRetryableError, OpenAIRejectedError: it failed, or the billing limit is reported.
        """
        try:
            if self.settings.prompt_screening == "openai":
                self._screen(picture, prompt)
            return openai.edit(picture, prompt, self.owner, self.api_key, self.settings, self._timeout())
        except BillingLimitError as error:
            if not may_fall_back:
                raise OpenAIRejectedError(str(error)) from error
        text, max_pixels = self.settings.fallback_watermark_text, self.settings.max_image_pixels
        return Edit(fallback.invert(picture.body, text, max_pixels), fallback.MEDIA_TYPE, "local_fallback")

    def _screen(self, picture: Picture, prompt: str) -> None:
        if flagged := openai.flagged_categories(picture, prompt, self.api_key, self.settings, self._timeout()):
            raise ContentFlaggedError(
                f"OpenAI's moderation flagged the prompt or the picture: {', '.join(flagged)}. Nothing was edited"
            )

    def _timeout(self) -> float:
        return max(0.0, min(self.settings.openai_timeout_seconds, self.deadline - monotonic()))


def edit_image(
    edit_request: EditRequest, job: JobRequest, places: Places, engine: Engine
) -> tuple[EditedImage | RateLimited, Edit | None]:
    """Edit one image and keep the edit, or find the one that an earlier attempt kept; with the edit if it is new.

    Raises:
        JobDecidedError: the job has its result; nothing is paid for it any more.
        JobError: whichever of its subclasses the storage, the picture or OpenAI leads to.
    """
    started, settings = monotonic(), engine.settings
    if places.jobs.has_payload(edit_request.job_id):
        raise JobDecidedError(f"job {edit_request.job_id} has its result already: no more work is done for it")
    input_key = places.input_key(edit_request)
    if earlier := _earlier(edit_request, job, input_key, places):
        return earlier, None

    source = places.read_input(job, input_key)
    picture = prepare(source, settings.max_image_pixels)
    may_fall_back = edit_request.operation == "batch" or settings.enable_fallback_single
    try:
        edit = engine.edit(picture, job.prompt, may_fall_back=may_fall_back)
    except RateLimitedError as error:
        return _waiting(edit_request, error, settings), None
    edited = EditedImage(
        content_type=edit.media_type,
        engine=edit.engine,
        attempts=edit_request.attempt,
        bytes_in=len(source),
        bytes_out=len(edit.body),
        ms=round((monotonic() - started) * 1000),
        note=picture.note,
    )
    # Nothing comes between a paid answer and this: what is not kept here would be paid for again.
    key = output_key(job, settings, edit.media_type, input_key)
    places.output_bucket(edit_request).put(key, edit.body, edit.media_type, metadata=edited.metadata())
    return edited, edit


def _earlier(edit_request: EditRequest, job: JobRequest, input_key: str, places: Places) -> EditedImage | None:
    """Find the edit that an earlier attempt kept: OpenAI's under the configured type, the fallback's under its own."""
    types = (f"image/{places.settings.openai_image_output_format}", fallback.MEDIA_TYPE)
    for key in dict.fromkeys(output_key(job, places.settings, media_type, input_key) for media_type in types):
        found = places.output_bucket(edit_request).find(key)
        if found:
            earlier = EditedImage.of_object(found.size, found.content_type, found.metadata, edit_request.attempt)
            if earlier:
                return earlier
    return None


def _waiting(edit_request: EditRequest, error: RateLimitedError, settings: ProcessImageSettings) -> RateLimited:
    """Ask the state machine to wait, unless it waited often enough, or would wait too long."""
    if (
        edit_request.rate_limited >= settings.openai_max_rate_limit_waits
        or error.seconds > settings.openai_max_rate_limit_wait_seconds
    ):
        raise OpenAIRejectedError(str(error)) from error
    return RateLimited(
        wait_seconds=error.seconds, rate_limited=edit_request.rate_limited + 1, attempts=edit_request.attempt
    )
