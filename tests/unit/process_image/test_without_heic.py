"""A deployment that was built by `make requirements HEIC=0`, without pillow-heif."""

import sys
from io import BytesIO

import pytest
from PIL import Image
from pillow_heif import from_pillow

from functions.process_image.pictures import prepare
from imagejobs.errors import UnsupportedImageError
from tests.support.pictures import picture


@pytest.fixture
def heic() -> bytes:
    """A photo as a phone sends it."""
    buffer = BytesIO()
    from_pillow(Image.open(BytesIO(picture()))).save(buffer)
    return buffer.getvalue()


@pytest.fixture
def left_out(heic: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing pillow_heif fails as it does where it is not installed; the photo was made before."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)


def test_heic_is_taken_where_it_is_built_in(heic: bytes) -> None:
    assert prepare(heic, 10**6).media_type == "image/jpeg"


@pytest.mark.usefixtures("left_out")
def test_heic_is_refused_plainly_where_it_was_left_out(heic: bytes) -> None:
    with pytest.raises(UnsupportedImageError, match=r"a HEIC image, which this service was set up without: send it as"):
        prepare(heic, 10**6)


@pytest.mark.usefixtures("left_out")
def test_avif_is_taken_although_heic_was_left_out() -> None:
    buffer = BytesIO()
    Image.new("RGB", (16, 16), "teal").save(buffer, "AVIF")

    assert prepare(buffer.getvalue(), 10**6).media_type == "image/jpeg"
