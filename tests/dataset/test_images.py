"""Which bytes are a complete image."""

import struct
import zlib
from datetime import date
from io import BytesIO
from resource import RUSAGE_SELF, getrusage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from timecoverspider.dataset.images import InvalidImageError, validate_image
from timecoverspider.replica.images import draw_cover

COVER = draw_cover(date(2014, 3, 10), 600)


def saved(form: str, size: tuple[int, int] = (40, 30), **options: object) -> bytes:
    file = BytesIO()
    Image.effect_noise(size, 80).save(file, form, **options)  # type: ignore[arg-type]
    return file.getvalue()


def bomb(width: int, height: int) -> bytes:
    """Return the beginning of a PNG whose header names an enormous size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"\0" * 1000))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP"])
def test_complete_image_of_each_format_has_its_size(form: str) -> None:
    assert validate_image(saved(form)) == (40, 30)


@pytest.mark.parametrize("form", ["BMP", "TIFF", "ICO", "PPM"])
def test_image_of_another_format_is_refused(form: str) -> None:
    with pytest.raises(InvalidImageError):
        validate_image(saved(form))


def test_empty_content_is_refused() -> None:
    with pytest.raises(InvalidImageError):
        validate_image(b"")


def test_decompression_bomb_is_refused_from_its_header() -> None:
    with pytest.raises(InvalidImageError, match="50,000,000"):
        validate_image(bomb(50_000, 50_000))


@pytest.mark.parametrize(("form", "side", "limit"), [("WEBP", 4001, "16,000,000"), ("PNG", 7072, "50,000,000")])
def test_image_with_more_pixels_than_its_decoder_may_have_is_refused(form: str, side: int, limit: str) -> None:
    file = BytesIO()
    Image.new("L", (side, side)).save(file, form)
    with pytest.raises(InvalidImageError, match=f"more than {limit} pixels"):
        validate_image(file.getvalue())


def test_image_of_many_frames_is_refused_by_their_pixels_together() -> None:
    frames = [Image.new("P", (1000, 1000), number % 200) for number in range(60)]
    file = BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(InvalidImageError, match="50,000,000"):
        validate_image(file.getvalue())


def _frame(width: int, height: int) -> bytes:
    """Return a frame of a GIF that has the data of one pixel."""
    return b"\x21\xf9\x04\x04\0\0\0\0\x2c" + struct.pack("<HHHH", 0, 0, width, height) + b"\0\2\2\x4c\1\0"


def test_frame_larger_than_the_image_is_refused_before_it_is_decoded() -> None:
    begin = b"GIF89a" + struct.pack("<HH", 1, 1) + b"\x80\0\0\0\0\0\xff\xff\xff"
    before = getrusage(RUSAGE_SELF).ru_maxrss
    with pytest.raises(InvalidImageError, match="50,000,000"):
        validate_image(begin + _frame(1, 1) + _frame(40_000, 40_000) + b"\x3b")
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 300_000  # KB; it would have 1.6 billion pixels


@settings(deadline=None)
@given(st.integers(0, len(COVER) - 1))
def test_image_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(InvalidImageError):
        validate_image(COVER[:length])


def test_jpeg_cut_at_a_third_with_an_end_mark_passes_because_its_decoder_only_warns() -> None:
    cut = COVER[: len(COVER) // 3]
    with pytest.raises(InvalidImageError):
        validate_image(cut)
    assert validate_image(cut + b"\xff\xd9") == (600, 790)  # only a checksum would tell: see scrapy verify


@settings(deadline=None)
@given(st.integers(0, 700), st.integers(1, 255))
def test_image_with_a_flipped_byte_is_refused_or_can_be_decoded(place: int, flip: int) -> None:
    content = bytearray(COVER)
    content[place] ^= flip
    try:
        size = validate_image(bytes(content))
    except InvalidImageError:
        return
    with Image.open(BytesIO(content)) as image:
        image.load()
        assert image.size == size


@given(st.binary(max_size=200))
def test_bytes_that_are_no_image_are_refused(content: bytes) -> None:
    with pytest.raises(InvalidImageError):
        validate_image(content)
