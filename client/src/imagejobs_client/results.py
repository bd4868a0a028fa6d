"""A batch's results into a local folder."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
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
# Reads the page at a cursor: its images, with fresh links, and the cursor of the next page.
type ReadPage = Callable[[str | None], tuple[list[BatchImage], str | None]]


def save_images(
    read: ReadPage, names: dict[str, Path], transfers: Transfers, side_by_side: int, on_saved: OnSaved
) -> Iterator[SavedImage]:
    """Download results side by side into the files that `names` says, and give each back in the batch's order.

    A page is read when the one before is saved, since its links expire. A link that did so is read once more.
    """

    def download(image: BatchImage) -> SavedImage:
        if not image.after_url:
            return SavedImage(image)
        name = names[image.file]
        path = name.with_name(name.name + _suffix(image.after_url))
        return SavedImage(image, transfers.download_anew(image.after_url, path))

    def save(cursor: str | None, image: BatchImage) -> SavedImage:
        try:
            return download(image)
        except TransferError as error:
            if error.status != HTTPStatus.FORBIDDEN:
                raise
            fresh, _ = read(cursor)
            return download(next((one for one in fresh if one.file == image.file), image))

    cursor, more = None, True
    with ThreadPoolExecutor(side_by_side) as pool:
        while more:
            images, following = read(cursor)
            for saved in pool.map(partial(save, cursor), images):
                on_saved(saved)
                yield saved
            cursor, more = following, following is not None


def local_names(files: Iterable[str], folder: Path) -> dict[str, Path]:
    """Where each result goes, without its suffix: `a.jpg` to `a`, or to `a.jpg` where there is an `a.png` too.

    Raises TransferError for a name that would lie outside of the folder.
    """
    paths = {file: _inside(folder, file) for file in files}
    # What each may be called. Many file systems take A and a for the same name.
    wanted = Counter(name for path in paths.values() for name in {_folded(path), _folded(path.with_suffix(""))})
    return {
        file: path.with_suffix("") if wanted[_folded(path.with_suffix(""))] == 1 else path
        for file, path in paths.items()
    }


def _folded(path: Path) -> str:
    return str(path).casefold()


def _inside(folder: Path, file: str) -> Path:
    name = re.sub(r'[<>:"|?*\\]', "_", file) if os.name == "nt" else file
    path = folder.joinpath(*PurePosixPath(name.lstrip("/")).parts)
    if not path.resolve().is_relative_to(folder.resolve()) or path.resolve() == folder.resolve():
        raise TransferError(f"the result of {file!r} would lie outside of {folder}")
    return path


def _suffix(url: str) -> str:
    return PurePosixPath(urlsplit(url).path).suffix
