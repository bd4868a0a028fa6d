"""What two or more of the functions share. Nothing here reads the environment or opens a connection at import."""

__version__ = "1.1.0"
