"""The way of one image: read it, prepare it, have it edited, keep the edit. Never paid twice."""

import math
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from time import monotonic, time

from functions.process_image import memory
from functions.process_image.asking import Engines, NotYetError, ask, rejected, turn_of
from functions.process_image.chain import choices_of
from functions.process_image.engines.engine import Task
from functions.process_image.pictures import prepare
from functions.process_image.resources import ProcessImageResources
from imagejobs.catalogue import LOCAL, PROVIDERS
from imagejobs.edit_options import EditOptions
from imagejobs.errors import EditNotFoundError, JobDecidedError, JobError, StorageUnavailableError
from imagejobs.job_request import JobRequest
from imagejobs.job_store import Waiting
from imagejobs.output_keys import output_key
from imagejobs.workflow import EditedImage, EditRequest, HandedOver, RateLimited

# How long after its wait an image that waited may still be read as waiting.
_WAKE_SECONDS = 2


def edit_image(
    edit_request: EditRequest, job: JobRequest, places: ProcessImageResources, engines: Engines
) -> tuple[EditedImage | RateLimited | HandedOver, bool]:
    """Edit one image and keep the edit, or find the one that an earlier attempt kept; and tell whether it is new.

    Raises:
        JobDecidedError: the job has its result; nothing is paid for it any more.
        EditNotFoundError: an edit was to be found only, and none was kept.
        EngineRejectedError: the image has had as many attempts, with waits between, as one that does not wait.
        JobError: whichever of its subclasses the storage, the picture or an engine leads to.
    """
    if places.jobs.has_payload(edit_request.job_id):
        raise JobDecidedError(f"job {edit_request.job_id} has its result already: no more work is done for it")
    input_key = places.input_key(edit_request)
    choices = choices_of(job, places.settings)
    media_types = [media_type for choice in choices for media_type in choice.media_types]
    if earlier := _earlier(edit_request, job, input_key, media_types, places):
        return earlier, False
    if edit_request.collect_only:
        raise EditNotFoundError("no attempt at this image kept an edit")
    if edit_request.has_had(1 + places.settings.edit_max_retries):
        # After the last one crashed: one that fails tells why.
        raise rejected(choices[0].model.engine, "TooManyAttempts: every attempt failed or crashed. Try again later")
    try:
        return _edited(edit_request, job, input_key, places, engines), True
    except NotYetError as wait:
        return _waiting(edit_request, wait, places), False
    except memory.TooLargeForMemoryError:
        waited = edit_request.waited.model_copy(update={"attempts": edit_request.attempt - 1})
        return HandedOver(**waited.model_dump()), False
    except Exception:
        engines.ledger.write_off(edit_request, places.jobs.bucket)
        raise


def _edited(
    edit_request: EditRequest, job: JobRequest, input_key: str, places: ProcessImageResources, engines: Engines
) -> EditedImage:
    started, settings = monotonic(), places.settings
    choices = choices_of(job, settings)
    turn = turn_of(choices[0], edit_request, places)
    source = places.read_input(job, input_key)
    room = memory.room(settings.aws_lambda_function_memory_size, job) if edit_request.may_hand_over else None
    picture = prepare(source, settings.max_image_pixels, room=room)
    beside = places.beside(job.job_id, room)
    mask = beside.mask_of(picture, settings.max_image_pixels)
    task = Task((picture, *beside.references), job.prompt, EditOptions(), 0, job.caller, mask)
    edit, stands_in_for = ask(choices, turn, task, edit_request, places, engines)
    took = engines.ledger.priced(edit.engine, edit.model, edit.usage)
    edited = EditedImage(
        content_type=edit.media_type,
        engine=edit.engine,
        model=edit.model,
        stands_in_for=stands_in_for,
        attempts=edit_request.attempt,
        bytes_in=len(source),
        bytes_out=len(edit.body),
        ms=round((monotonic() - started) * 1000),
        input_tokens=took.input_tokens,
        output_tokens=took.output_tokens,
        cost_usd=took.cost_usd,
        note="; ".join(filter(None, (picture.note, edit.note))) or None,
    )
    # Nothing comes between a paid answer and this: what is not kept here would be paid for again.
    key = output_key(job, settings, edit.media_type, input_key)
    try:
        places.output_bucket(edit_request).put(key, edit.body, edit.media_type, metadata=edited.metadata())
    except StorageUnavailableError as error:
        error.may_have_cost = edit.engine != LOCAL
        raise
    return edited


def _earlier(
    edit_request: EditRequest,
    job: JobRequest,
    input_key: str,
    media_types: Iterable[str],
    places: ProcessImageResources,
) -> EditedImage | None:
    """Find the edit that an earlier attempt kept, of whichever model: its key depends on its media type."""
    for key in dict.fromkeys(output_key(job, places.settings, media_type, input_key) for media_type in media_types):
        found = places.output_bucket(edit_request).find(key)
        if found:
            earlier = EditedImage.of_object(found.size, found.content_type, found.metadata, edit_request.attempt)
            if earlier:
                return earlier
    return None


def _waiting(edit_request: EditRequest, wait: NotYetError, places: ProcessImageResources) -> RateLimited:
    """Ask the state machine to wait for an image's turn, after an engine's refusal or before it is asked.

    Raises:
        EngineRejectedError: the image would wait longer than it may.
    """
    waited, now, hours = edit_request.waited, datetime.now(UTC), places.settings.openai_max_rate_limit_wait_hours
    since = waited.since or now
    seconds = max(0, math.floor(wait.turn.at - time()))
    until = now + timedelta(seconds=seconds)
    if until - since > timedelta(hours=hours):
        others = f"RateLimitError: other images wait for {PROVIDERS[wait.engine]}'s rate limit too"
        raise rejected(
            wait.engine,
            f"{wait.refusal or others} (waiting since {since:%Y-%m-%dT%H:%MZ}; the limit is {hours:g} hours)",
        )
    if edit_request.operation != "batch":
        with suppress(JobError):  # only callers who ask for the job's status miss it
            waiting = Waiting(engine=wait.engine, since=since, until=until + timedelta(seconds=_WAKE_SECONDS))
            places.jobs.put_waiting(edit_request.job_id, waiting)
    return RateLimited(
        wait_seconds=seconds,
        engine=wait.engine,
        ticket=wait.turn.ticket,
        since=since,
        attempts=edit_request.attempt if wait.refusal else edit_request.attempt - 1,
        rate_limited=waited.rate_limited + (1 if wait.refusal else 0),
        throttle_seconds=waited.throttle_seconds,
    )
