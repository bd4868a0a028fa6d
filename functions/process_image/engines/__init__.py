"""The engines, by the name that the catalogue has for them. An engine's module is loaded when a task first names it."""

from functions.process_image.engines.engine import Engine
from functions.process_image.settings import ProcessImageSettings
from imagejobs.catalogue import EngineName
from imagejobs.resources import Clients
from imagejobs.secrets import EditSecrets


def engine_named(name: EngineName, settings: ProcessImageSettings, secrets: EditSecrets, clients: Clients) -> Engine:
    """Make an engine, with the owner's key for it, or the function's own rights."""
    match name:
        case "openai":
            from functions.process_image.engines.openai import OpenAIEngine

            return OpenAIEngine(settings, secrets.openai_api_key.get_secret_value())
        case "bedrock":
            from functions.process_image.engines.bedrock import BedrockEngine

            client = clients.bedrock(settings.bedrock_region, settings.bedrock_endpoint_url)
            return BedrockEngine(client, settings.bedrock_geography, settings.max_image_pixels)
        case "gemini":
            from functions.process_image.engines.gemini import GeminiEngine

            api_key = secrets.gemini_api_key.get_secret_value()
            return GeminiEngine(api_key, settings.max_image_pixels, settings.gemini_base_url)
        case "local_fallback":
            from functions.process_image.engines.local import LocalEngine

            return LocalEngine(settings.fallback_watermark_text, settings.max_image_pixels)
