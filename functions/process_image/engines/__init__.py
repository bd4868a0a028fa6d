"""The engines, by the name that the catalogue has for them. An engine's module is loaded when a task first names it."""

from functions.process_image.engines.engine import Engine
from functions.process_image.settings import ProcessImageSettings
from imagejobs.catalogue import EngineName
from imagejobs.secrets import EditSecrets


def engine_named(name: EngineName, settings: ProcessImageSettings, secrets: EditSecrets) -> Engine:
    """Make an engine, with the owner's key for it."""
    match name:
        case "openai":
            from functions.process_image.engines.openai import OpenAIEngine

            return OpenAIEngine(settings, secrets.openai_api_key.get_secret_value())
        case "local_fallback":
            from functions.process_image.engines.local import LocalEngine

            return LocalEngine(settings.fallback_watermark_text, settings.max_image_pixels)
