"""What an engine is shown beside the picture: the job's reference pictures, and its mask."""

from collections.abc import Iterator
from dataclasses import dataclass

from functions.process_image.pictures import OPENAI_MAX_BYTES, Picture, check, opened, prepare
from imagejobs.errors import JobError, UnsupportedImageError


@dataclass(frozen=True)
class Beside:
    """Reference pictures as they are sent, of OPENAI_MAX_BYTES together at the most, and the mask as it was given."""

    references: tuple[Picture, ...] = ()
    mask: Picture | None = None

    def mask_of(self, picture: Picture, max_pixels: int) -> Picture | None:
        """The mask, for a picture that is as wide and high as it.

        Raises:
            UnsupportedImageError: the picture is not.
        """
        if self.mask is None:
            return None
        own, wanted = _size(self.mask, max_pixels), _size(picture, max_pixels)
        if own != wanted:
            raise UnsupportedImageError(
                f"the mask has {own[0]} x {own[1]} pixels, and the upright picture has {wanted[0]} x {wanted[1]}: "
                "make a mask of the same size"
            )
        return self.mask


def prepared(
    references: Iterator[bytes], count: int, mask: bytes | None, max_pixels: int, room: int | None = None
) -> Beside:
    """Prepare a job's reference pictures one after another, of which there are `count`, and check its mask.

    Raises what `pictures.prepare` raises; the message says of which picture.
    """
    pictures = []
    for number, body in enumerate(references, start=1):
        try:
            pictures.append(prepare(body, max_pixels, OPENAI_MAX_BYTES // count, room))
        except JobError as error:
            raise type(error)(f"reference {number}: {error}") from error
    if mask is None:
        return Beside(tuple(pictures))
    try:
        check(mask, max_pixels, room)
    except JobError as error:
        raise type(error)(f"mask: {error}") from error
    return Beside(tuple(pictures), Picture(mask, "image/png"))


def _size(picture: Picture, max_pixels: int) -> tuple[int, int]:
    with opened(picture.body, max_pixels) as file:
        return file.image.size
