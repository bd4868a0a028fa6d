"""What a function's process sees: its package and layers, unpacked once, and the packages of Lambda's own runtime."""

import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
import zipfile
from functools import lru_cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

# What Lambda's Python runtime brings along (Lambda developer guide, "Runtime-included SDK versions").
_RUNTIME_PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
_KEPT_SECONDS = 7 * 24 * 3600
_unpacking = threading.Lock()


def prune() -> None:
    """Delete what was unpacked and not used for a week."""
    folder = Path(os.environ["LOCAL_UNPACKED"])
    for unused in folder.iterdir() if folder.is_dir() else ():
        if unused.stat().st_mtime < time.time() - _KEPT_SECONDS:
            shutil.rmtree(unused, ignore_errors=True)


def unpacked(code_zip: bytes) -> Path:
    """Unpack a package once for all environments that run it, as they only read it.

    The folder outlives the emulator, so that Python compiles a layer's modules once and not at every start: it is
    named after the content, whatever the archive's own dates say.
    """
    with _unpacking, zipfile.ZipFile(BytesIO(code_zip)) as archive:
        listing = sorted((entry.filename, entry.CRC, entry.file_size) for entry in archive.infolist())
        folder = Path(os.environ["LOCAL_UNPACKED"]) / hashlib.sha256(json.dumps(listing).encode()).hexdigest()[:24]
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            partial = Path(tempfile.mkdtemp(dir=folder.parent))
            archive.extractall(partial)
            try:
                partial.rename(folder)
            except OSError:  # another emulator was first
                shutil.rmtree(partial)
        folder.touch()
        return folder


@lru_cache
def runtime_packages() -> Path:
    """A folder with the packages of Lambda's own runtime, and no others."""
    folder = Path(tempfile.mkdtemp(prefix="lambda-runtime-"))
    for name in _RUNTIME_PACKAGES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise ImportError(f"the embedded AWS needs the package {name}")
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (folder / source.name).symlink_to(source)
    return folder
