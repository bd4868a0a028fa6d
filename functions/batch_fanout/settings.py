"""Settings of batch_fanout: the storage's, and nothing of its own."""

from functools import lru_cache

from imagejobs.settings import StorageSettings


@lru_cache
def get_settings() -> StorageSettings:
    """The settings, read from the environment once."""
    return StorageSettings.from_environment()
