"""The way of one image: read it, prepare it, have it edited, keep the edit. Never paid twice."""

import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep, time

from functions.process_image import fallback
from functions.process_image.engines import openai
from functions.process_image.engines.openai import (
    BillingLimitError,
    Edit,
    ModerationRateLimitedError,
    OnUsage,
    RateLimitedError,
)
from functions.process_image.pacing import Turn
from functions.process_image.pictures import Picture, prepare
from functions.process_image.resources import ProcessImageResources
from functions.process_image.settings import ProcessImageSettings
from imagejobs.errors import (
    ContentFlaggedError,
    EditNotFoundError,
    JobDecidedError,
    JobError,
    OpenAIInvalidAnswerError,
    OpenAIRejectedError,
)
from imagejobs.job_store import JobRequest, Waiting
from imagejobs.output_keys import output_key
from imagejobs.workflow import EditedImage, EditRequest, RateLimited

# A turn that comes sooner is waited for here: a Wait state knows whole seconds only.
_MAX_SLEEP_SECONDS = 1.0
# How long after its wait an image that waited may still be read as waiting.
_WAKE_SECONDS = 2


@dataclass(frozen=True)
class Engine:
    """What edits a picture: OpenAI, with this key, until `deadline` on the clock of `time.monotonic`.

    `on_usage` hears what each of OpenAI's answers took.
    """

    settings: ProcessImageSettings
    api_key: str
    deadline: float
    on_usage: OnUsage
    # Whose job it is.
    caller: str = ""

    def edit(self, picture: Picture, prompt: str, *, may_fall_back: bool) -> Edit:
        """Have a picture edited, locally where OpenAI's billing limit is reached and `may_fall_back`.

        Raises:
            ContentFlaggedError: screening is on, and flagged the picture or the prompt; nothing was paid.
            RateLimitedError: OpenAI asks to wait.
            OpenAIRetryableError, OpenAIInvalidAnswerError, OpenAIRejectedError: it failed, or the billing limit is
                reported.
        """
        try:
            if self.settings.prompt_screening == "openai":
                self._screen(picture, prompt)
            timeout = self._timeout()
            return openai.edit(picture, prompt, self.caller, self.api_key, self.settings, timeout, self.on_usage)
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
    edit_request: EditRequest, job: JobRequest, places: ProcessImageResources, engine: Engine
) -> tuple[EditedImage | RateLimited, bool]:
    """Edit one image and keep the edit, or find the one that an earlier attempt kept; and tell whether it is new.

    Raises:
        JobDecidedError: the job has its result; nothing is paid for it any more.
        EditNotFoundError: an edit was to be found only, and none was kept.
        JobError: whichever of its subclasses the storage, the picture or OpenAI leads to.
    """
    started, settings = monotonic(), engine.settings
    if places.jobs.has_payload(edit_request.job_id):
        raise JobDecidedError(f"job {edit_request.job_id} has its result already: no more work is done for it")
    input_key = places.input_key(edit_request)
    if earlier := _earlier(edit_request, job, input_key, places):
        return earlier, False
    if edit_request.collect_only:
        raise EditNotFoundError("no attempt at this image kept an edit")
    turn = places.pacer.turn(edit_request.waited.ticket)
    if turn.at > time() + _MAX_SLEEP_SECONDS:
        return _waiting(edit_request, turn, places), False

    source = places.read_input(job, input_key)
    picture = prepare(source, settings.max_image_pixels)
    try:
        edit = _asked_in_turn(edit_request, picture, job.prompt, engine, turn)
    except RateLimitedError as error:
        # The queue is that of edits: a refusal by the moderation says nothing of their pace.
        wait = places.pacer.apart if isinstance(error, ModerationRateLimitedError) else places.pacer.refused
        turn = wait(turn.ticket, error.seconds, edit_request.waited.rate_limited)
        return _waiting(edit_request, turn, places, error), False
    edited = _described(edit, picture, edit_request, len(source), started)
    # Nothing comes between a paid answer and this: what is not kept here would be paid for again.
    key = output_key(job, settings, edit.media_type, input_key)
    places.output_bucket(edit_request).put(key, edit.body, edit.media_type, metadata=edited.metadata())
    return edited, True


def _described(edit: Edit, picture: Picture, edit_request: EditRequest, bytes_in: int, started: float) -> EditedImage:
    """What is told of an edit; `started` is when its attempt began, on the clock of `time.monotonic`."""
    return EditedImage(
        content_type=edit.media_type,
        engine=edit.engine,
        attempts=edit_request.attempt,
        bytes_in=bytes_in,
        bytes_out=len(edit.body),
        ms=round((monotonic() - started) * 1000),
        note=picture.note,
    )


def _asked_in_turn(edit_request: EditRequest, picture: Picture, prompt: str, engine: Engine, turn: Turn) -> Edit:
    """Have the picture edited when its turn comes."""
    may_fall_back = edit_request.operation == "batch" or engine.settings.enable_fallback_single
    sleep(max(0.0, turn.at - time()))
    try:
        return engine.edit(picture, prompt, may_fall_back=may_fall_back)
    except OpenAIInvalidAnswerError as error:
        # The state machine asks once more, but counts anew after a wait.
        if edit_request.waited.attempts > edit_request.waited.rate_limited:
            raise OpenAIRejectedError(str(error)) from error
        raise


def _earlier(
    edit_request: EditRequest, job: JobRequest, input_key: str, places: ProcessImageResources
) -> EditedImage | None:
    """Find the edit that an earlier attempt kept: OpenAI's under the configured type, the fallback's under its own."""
    types = (f"image/{places.settings.openai_image_output_format}", fallback.MEDIA_TYPE)
    for key in dict.fromkeys(output_key(job, places.settings, media_type, input_key) for media_type in types):
        found = places.output_bucket(edit_request).find(key)
        if found:
            earlier = EditedImage.of_object(found.size, found.content_type, found.metadata, edit_request.attempt)
            if earlier:
                return earlier
    return None


def _waiting(
    edit_request: EditRequest, turn: Turn, places: ProcessImageResources, refusal: RateLimitedError | None = None
) -> RateLimited:
    """Ask the state machine to wait for an image's turn, after OpenAI's refusal or before it is asked.

    Raises:
        OpenAIRejectedError: the image would wait longer than it may.
    """
    waited, now, hours = edit_request.waited, datetime.now(UTC), places.settings.openai_max_rate_limit_wait_hours
    since = waited.since or now
    seconds = max(0, math.floor(turn.at - time()))
    until = now + timedelta(seconds=seconds)
    if until - since > timedelta(hours=hours):
        what = refusal or "RateLimitError: other images wait for OpenAI's rate limit too"
        raise OpenAIRejectedError(f"{what} (waits since {since:%Y-%m-%dT%H:%MZ}; {hours:g} hours are the most)")
    if edit_request.operation != "batch":
        with suppress(JobError):  # only callers who ask for the job's status miss it
            waiting = Waiting(since=since, until=until + timedelta(seconds=_WAKE_SECONDS))
            places.jobs.put_waiting(edit_request.job_id, waiting)
    return RateLimited(
        wait_seconds=seconds,
        ticket=turn.ticket,
        since=since,
        attempts=edit_request.attempt if refusal else edit_request.attempt - 1,
        rate_limited=waited.rate_limited + (1 if refusal else 0),
    )
