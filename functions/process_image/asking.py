"""Asks the models for an edit, one after another: each when its turn comes, and the next at a billing limit alone."""

from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic, sleep, time

from functions.process_image import memory
from functions.process_image.chain import Choice
from functions.process_image.engines import engine_named
from functions.process_image.engines.engine import BillingLimitError, Edit, RateLimitedError, Task
from functions.process_image.ledger import Ledger
from functions.process_image.pacing import Turn
from functions.process_image.resources import ProcessImageResources
from functions.process_image.settings import ProcessImageSettings
from functions.process_image.telemetry import record_billing_limit, record_passed_over
from imagejobs.catalogue import LOCAL, EngineName
from imagejobs.errors import (
    ContentFlaggedError,
    EngineInvalidAnswerError,
    EngineRejectedError,
    EngineRetryableError,
    JobError,
    OpenAIRejectedError,
)
from imagejobs.resources import Clients
from imagejobs.secrets import EditSecrets
from imagejobs.workflow import EditRequest

# A turn that comes sooner is waited for here: a Wait state knows whole seconds only.
_MAX_SLEEP_SECONDS = 1.0


class ModerationRateLimitedError(RateLimitedError):
    """OpenAI's moderation asks to wait, whose limit is another one than that of edits."""


class NotYetError(Exception):
    """The image waits for an engine's turn; `refusal` is what the engine answered, if it was asked."""

    def __init__(self, engine: EngineName, turn: Turn, refusal: RateLimitedError | None = None) -> None:
        super().__init__()
        self.engine = engine
        self.turn = turn
        self.refusal = refusal


@dataclass(frozen=True)
class Engines:
    """Who edits: every engine, with the owner's keys, until `deadline` on the clock of `time.monotonic`.

    `ledger` hears what each of their answers took.
    """

    settings: ProcessImageSettings
    secrets: EditSecrets
    deadline: float
    ledger: Ledger
    clients: Clients = field(default_factory=Clients)

    def can_ask(self, choice: Choice) -> bool:
        """Whether all is configured that a choice's engine needs; what is not is logged."""
        if missing := self.settings.missing_for(choice.model.engine, self.secrets):
            record_passed_over(choice.model.name, missing)
        return not missing

    def edit(self, engine: EngineName, task: Task) -> Edit:
        """Have a picture edited; what leaves for a provider is screened before, where screening is on.

        Raises:
            ContentFlaggedError: screening flagged a picture or the prompt; nothing was paid.
            ModerationRateLimitedError, BillingLimitError: OpenAI's moderation says so.
            Beside them what `Engine.edit` raises.
        """
        if self.settings.screens(engine):
            self._screen(task)
        maker = engine_named(engine, self.settings, self.secrets, self.clients)
        on_usage = partial(self.ledger.charge, engine, str(task.options.model))
        return maker.edit(replace(task, timeout=self._timeout()), on_usage)

    def _screen(self, task: Task) -> None:
        from functions.process_image.engines import openai

        api_key = self.secrets.openai_api_key.get_secret_value()
        for picture in task.pictures:
            try:
                flagged = openai.flagged_categories(picture, task.prompt, api_key, self.settings, self._timeout())
            except RateLimitedError as error:
                raise ModerationRateLimitedError(str(error), error.seconds) from error
            if flagged:
                raise ContentFlaggedError(
                    f"OpenAI's moderation flagged the prompt or the picture: {', '.join(flagged)}. Nothing was edited"
                )

    def _timeout(self) -> float:
        return max(0.0, min(self.settings.openai_timeout_seconds, self.deadline - monotonic()))


def turn_of(choice: Choice, edit_request: EditRequest, places: ProcessImageResources) -> Turn:
    """When an image may ask a choice's engine.

    Raises:
        NotYetError: later than can be waited for here.
        TooLargeForMemoryError: the engine is the larger function's to ask.
    """
    engine, waited = choice.model.engine, edit_request.waited
    if edit_request.may_hand_over:
        memory.require_measured(engine)
    if engine == LOCAL:
        return Turn(time())
    turn = places.pacer(engine).turn(waited.ticket if waited.engine == engine else 0)
    if turn.at > time() + _MAX_SLEEP_SECONDS:
        raise NotYetError(engine, turn)
    return turn


def ask(
    choices: list[Choice],
    turn: Turn,
    task: Task,
    edit_request: EditRequest,
    places: ProcessImageResources,
    engines: Engines,
) -> tuple[Edit, EngineName | None]:
    """Have a picture edited by the first model of `choices`, or by the next where its billing limit is reached.

    Stand-ins that are not configured are passed over. Gives the edit, and the engine that another one stood in for.

    Raises:
        NotYetError: an engine asks to wait, or others wait for it.
        JobError: what an engine failed with, or the billing limit of the last.
    """
    choice, stand_ins = choices[0], filter(engines.can_ask, choices[1:])
    while True:
        engine = choice.model.engine
        sleep(max(0.0, turn.at - time()))
        try:
            edit = engines.edit(engine, replace(task, options=choice.options))
            return edit, None if choice is choices[0] else choices[0].model.engine
        except BillingLimitError as error:
            record_billing_limit()
            following = next(stand_ins, None)
            if following is None:
                raise rejected(engine, str(error)) from error
            choice, turn = following, turn_of(following, edit_request, places)
        except RateLimitedError as error:
            # The queue is that of edits: a refusal by the moderation says nothing of their pace.
            pacer = places.pacer(engine)
            wait = pacer.apart if isinstance(error, ModerationRateLimitedError) else pacer.refused
            turn = wait(turn.ticket, error.seconds, edit_request.waited.rate_limited)
            raise NotYetError(engine, turn, error) from error
        except (EngineInvalidAnswerError, EngineRetryableError) as error:
            if _is_last(error, edit_request, engines.settings):
                raise rejected(engine, str(error)) from error
            raise


def _is_last(error: JobError, edit_request: EditRequest, settings: ProcessImageSettings) -> bool:
    """Tell whether the state machine would try an image again once too often: it counts anew after a wait.

    An answer without a sound image is asked for once more in all.
    """
    further = 0 if isinstance(error, EngineInvalidAnswerError) else settings.edit_max_retries
    return edit_request.has_had(further)


def rejected(engine: str, message: str) -> EngineRejectedError:
    """What an image fails with that an engine does not edit; OpenAI's by the name that callers know."""
    return OpenAIRejectedError(message) if engine == "openai" else EngineRejectedError(message)
