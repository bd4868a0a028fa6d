"""A batch's results into a local folder."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from imagejobs_client.errors import TransferError
from imagejobs_client.models import BatchImage
from imagejobs_client.transfers import Transfers


@dataclass(frozen=True)
class SavedImage:
    """An image of a batch, with the file that holds its result; `path` is None for a failed image."""

    image: BatchImage
    path: Path | None = None


type OnSaved = Callable[[SavedImage], None]


def save_images(
    images: Iterable[BatchImage], names: dict[str, Path], transfers: Transfers, side_by_side: int, on_saved: OnSaved
) -> Iterator[SavedImage]:
    """Download results side by side into the files that `names` says, and give each back in the order of `images`."""

    def save(image: BatchImage) -> SavedImage:
        if not image.after_url:
            return SavedImage(image)
        name = names[image.file]
        path = name.with_name(name.name + _suffix(image.after_url))
        return SavedImage(image, transfers.download_anew(image.after_url, path))

    with ThreadPoolExecutor(side_by_side) as pool:
        for saved in pool.map(save, images):
            on_saved(saved)
            yield saved


def local_names(files: Iterable[str], folder: Path) -> dict[str, Path]:
    """Where each result goes, without its suffix: `a.jpg` to `a`, or to `a.jpg` where there is an `a.png` too.

    Raises TransferError for a name that would lie outside of the folder.
    """
    paths = {file: _inside(folder, file) for file in files}
    # Many file systems take A and a for the same name.
    stems = Counter(str(path.with_suffix("")).casefold() for path in paths.values())
    return {
        file: path.with_suffix("") if stems[str(path.with_suffix("")).casefold()] == 1 else path
        for file, path in paths.items()
    }


def _inside(folder: Path, file: str) -> Path:
    name = re.sub(r'[<>:"|?*\\]', "_", file) if os.name == "nt" else file
    path = folder.joinpath(*PurePosixPath(name.lstrip("/")).parts)
    if not path.resolve().is_relative_to(folder.resolve()) or path.resolve() == folder.resolve():
        raise TransferError(f"the result of {file!r} would lie outside of {folder}")
    return path


def _suffix(url: str) -> str:
    return PurePosixPath(urlsplit(url).path).suffix
