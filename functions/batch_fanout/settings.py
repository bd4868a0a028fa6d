"""What `batch_fanout` reads from its environment."""

from imagejobs.settings import StorageSettings


class BatchFanoutSettings(StorageSettings):
    """Settings of batch_fanout: the storage's, and nothing of its own."""
