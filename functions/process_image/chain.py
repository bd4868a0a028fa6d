"""Which models edit an image, in order, and with which options each of them is asked."""

from dataclasses import dataclass

from functions.process_image.settings import ProcessImageSettings
from imagejobs.catalogue import LOCAL, EngineName, Model, find_model, refusals, with_taken
from imagejobs.edit_options import EditOptions
from imagejobs.job_request import JobRequest


@dataclass(frozen=True)
class Choice:
    """A model, and all that it is asked for."""

    model: Model
    options: EditOptions

    @property
    def media_types(self) -> tuple[str, ...]:
        """In what media types its edit may come."""
        return self.model.media_types(self.options)


def engine_of(job: JobRequest, settings: ProcessImageSettings) -> EngineName:
    """The engine of the job's own model."""
    return _own_model(job, settings).engine


def choices_of(job: JobRequest, settings: ProcessImageSettings) -> list[Choice]:
    """The job's own model, and those that stand in for it one after another where a billing limit is reached.

    A stand-in is asked for as much of what the caller chose as it takes. One that cannot be shown the job's mask or its
    references, or has not its edit mode, would make another picture: it is passed over, unless it is the local one,
    which makes another picture always. So is a second model of an engine, which has the same bill.
    """
    asked = job.options or EditOptions()
    own = _own_model(job, settings)
    choices = [Choice(own, _with_defaults(asked.model_copy(update={"model": own.name}), own, settings))]
    if job.operation != "batch" and not settings.enable_fallback_single:
        return choices
    for model in map(find_model, settings.fallback_order):
        taken = {choice.model.engine for choice in choices}
        if model.engine not in taken and (model.engine == LOCAL or _can_stand_in(model, job, asked)):
            options = with_taken({"model": model.name}, asked.chosen, model)
            choices.append(Choice(model, _with_defaults(options, model, settings)))
    return choices


def _own_model(job: JobRequest, settings: ProcessImageSettings) -> Model:
    return find_model((job.options and job.options.model) or settings.openai_image_model)


def _can_stand_in(model: Model, job: JobRequest, asked: EditOptions) -> bool:
    meant = EditOptions(search=asked.search)
    return not refusals(model, meant, mask=bool(job.mask), references=job.reference_count)


def _with_defaults(asked: EditOptions, model: Model, settings: ProcessImageSettings) -> EditOptions:
    """The options with the stack's defaults for OpenAI's API in the place of those that are absent.

    Beside what a caller chose, only such defaults as go with it. To a caller who chose nothing, all of them: what the
    owner set wrongly is then told by OpenAI.
    """
    if model.engine != "openai":
        return asked
    defaults = settings.openai_defaults(model.name).chosen
    if asked.chosen == {"model": settings.openai_image_model}:
        return EditOptions.model_validate(defaults | asked.chosen)
    return with_taken(
        asked.chosen, {name: value for name, value in defaults.items() if name not in asked.chosen}, model
    )
