"""What the structure of a file tells."""

from dataclasses import dataclass

# A file is asked no further once it has shown so many frames.
MAX_FRAMES = 1000

# Left, top, right, bottom, as Pillow has them.
type Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Findings:
    """What the structure of a file tells; what a reader does not look for has its default."""

    # The largest picture that a decoder would unfold: width and height.
    largest: tuple[int, int] = (0, 0)
    # Frames or pages, counted to one more than MAX_FRAMES; None: Pillow knows without a search.
    frames: int | None = None
    # The part of the decoded picture that is to be seen.
    crop: Box | None = None
    # The part that the first frame covers; the rest is transparent.
    covered: Box | None = None
    # Bits a sample, where a colour key is given in them.
    depth: int = 8
    # Where the entropy-coded data of a JPEG with one scan begin and end.
    scan: tuple[int, int] | None = None
    # Each channel is stored apart.
    planes: bool = False


def count(frames: int) -> str:
    """A number of frames, as a sentence has it."""
    return f"over {MAX_FRAMES:,}" if frames > MAX_FRAMES else f"{frames:,}"
