"""What callers are told of the models that they may choose."""

from functions.accept.http.answers import ModelInfo, ModelOptions, Models, Price
from functions.accept.settings import AcceptSettings
from imagejobs.catalogue import Model, find_model
from imagejobs.prices import ModelPrice


def models_of(settings: AcceptSettings) -> Models:
    """List the models that the stack's owner allows, the stack's own first."""
    own = settings.openai_image_model
    prices = settings.prices
    return Models(models=[_told(find_model(name), prices.find(name), default=name == own) for name in settings.models])


def _told(model: Model, price: ModelPrice | None, *, default: bool) -> ModelInfo:
    return ModelInfo(
        name=model.name,
        engine=model.engine,
        default=default,
        options=ModelOptions(
            quality=list(model.qualities) or None,
            size=str(model.sizes) if model.sizes else None,
            output_format=list(model.output_formats) or None,
            output_compression=list(model.compressible) or None,
            background=list(model.backgrounds) or None,
        ),
        mask=model.mask,
        max_references=model.max_references,
        search=model.search,
        needs=list(model.needs),
        price=price and Price.model_validate(price.model_dump(exclude_unset=True)),
    )
