"""Naming what a file is, by its first bytes."""

import time

import pytest

from imagejobs.image_types import HEAD_BYTES, refusal, sniffed_type

CAMERA_RAW = {
    "CR2": b"II*\x00\x10\x00\x00\x00CR\x02\x00" + bytes(20),
    "CR3": b"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x01crx isom",
    "CRW": b"II\x1a\x00\x00\x00HEAPCCDR" + bytes(18),
    "IIQ": b"II*\x00\x10\x00\x00\x00IIIIwaR\x01" + bytes(16),
    "IIQ, big-endian": b"MM\x00*\x00\x00\x00\x10MMMMRawT" + bytes(16),
    "RAF": b"FUJIFILMCCD-RAW 0201FF393101" + bytes(8),
    "ORF": b"IIRO\x08\x00\x00\x00" + bytes(24),
    "RW2": b"IIU\x00\x18\x00\x00\x00" + bytes(24),
    "MRW": b"\x00MRM" + bytes(28),
    "X3F": b"FOVb" + bytes(28),
}


@pytest.mark.parametrize("head", [pytest.param(head, id=name) for name, head in CAMERA_RAW.items()])
def test_a_camera_raw_file_is_told_by_its_head(head: bytes) -> None:
    assert sniffed_type(head[:HEAD_BYTES]) is None
    assert refusal(head) == "the file is a camera raw file: export it as JPEG or TIFF"


def brand(name: bytes) -> bytes:
    return b"\x00\x00\x00\x18ftyp" + name + bytes(20)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x00\x00\x01\x00\x01\x00\x10\x10" + bytes(24), "an icon"),
        (b"\x00\x00\x02\x00\x02\x00\x20\x20" + bytes(24), "an icon"),
        (b"\x00\x00\x02" + bytes(9) + b"\x40\x00\x40\x00\x18\x00" + bytes(14), "a Targa image"),
        (b"\x00\x00\x0a" + bytes(9) + b"\x40\x00\x40\x00\x18\x00" + bytes(14), "a Targa image"),
        (brand(b"M4A "), "a sound file"),
        (brand(b"M4B "), "a sound file"),
        (brand(b"isom"), "a video"),
        (brand(b"qt  "), "a video"),
        *((brand(name), "a HEIC image of several layers or views") for name in (b"heim", b"heis", b"hevm", b"hevs")),
    ],
)
def test_what_is_not_taken_is_named(head: bytes, name: str) -> None:
    assert sniffed_type(head[:HEAD_BYTES]) is None
    assert refusal(head).startswith(f"the file is {name}: expected PNG, JPEG")


@pytest.mark.parametrize(
    "head",
    [b"<!-- -->" * 1000, b"<?xml ?>" * 1000, b"<!DOCTYPE svg>" * 1000, b" \n" * 4000, b"<!--" * 2000, b"<" * 8000],
)
def test_a_file_made_to_hold_up_the_patterns_does_not(head: bytes) -> None:
    started = time.process_time()

    assert "expected PNG, JPEG" in refusal(head)

    assert time.process_time() - started < 1
