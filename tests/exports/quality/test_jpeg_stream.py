"""JPEG files that Pillow decodes, and of which a strict decoder complains."""

import pytest
from image_set import draw, encode

from timecoverspider.dataset.images import validate_image
from timecoverspider.exports.quality.jpeg_stream import complaint

PLAIN = {"quality": 85}
OPTIONS = [PLAIN, {"progressive": True}, {"restart_marker_rows": 2}, {"quality": 95, "subsampling": 0}]
END = b"\xff\xd9"
ENDS_EARLY, HAS_SURPLUS = "the data ends before the last pixel", "the data has bytes that no pixel needs, or is damaged"


def jpeg(number: int = 1, **options: int | bool) -> bytes:
    return encode(draw(number), **options)


def cut(content: bytes, left: float) -> bytes:
    """Return a stream that was cut, and closed properly."""
    return content[: int(len(content) * left)].rstrip(b"\xff") + END


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("number", range(4))
def test_sound_file_has_no_complaint(options: dict[str, int], number: int) -> None:
    assert complaint(jpeg(number, **options)) == ""
    assert complaint(encode(draw(number).convert("L"), **options)) == ""


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("left", [0.5, 0.8, 0.97])
def test_file_that_was_cut_and_closed_ends_early(options: dict[str, int], left: float) -> None:
    content = cut(jpeg(**options), left)
    validate_image(content)  # it decodes
    assert complaint(content) == ENDS_EARLY


@pytest.mark.parametrize("surplus", [12, 500])
def test_bytes_after_the_last_pixel_are_surplus(surplus: int) -> None:
    content = jpeg(**PLAIN).removesuffix(END) + bytes(range(surplus % 251)) + bytes(surplus - surplus % 251) + END
    validate_image(content)
    assert complaint(content) == HAS_SURPLUS


def test_part_that_is_missing_in_the_middle_is_found() -> None:
    content = jpeg(**PLAIN)
    middle = len(content) // 2
    damaged = content[:middle].rstrip(b"\xff") + content[middle + 120 :].lstrip(b"\x00")
    validate_image(damaged)
    assert complaint(damaged) in {ENDS_EARLY, HAS_SURPLUS}


def test_part_that_is_missing_before_a_restart_marker_is_found() -> None:
    content = jpeg(restart_marker_rows=2)
    marker = content.index(b"\xff\xd3")
    assert complaint(content[: marker - 60].rstrip(b"\xff") + content[marker:]) == ENDS_EARLY


def test_restart_markers_out_of_order_are_found() -> None:
    content = jpeg(restart_marker_rows=2)
    assert complaint(content.replace(b"\xff\xd1", b"\xff\xd3", 1)) == "the restart markers are out of order"


def test_missing_end_is_found() -> None:
    assert complaint(jpeg(**PLAIN).removesuffix(END)) == "the end is missing"


def test_bytes_between_markers_are_found() -> None:
    content = jpeg(**PLAIN)
    assert complaint(content[:2] + b"mine" + content[2:]) == "there are bytes between two markers"


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xda", b"\xff\xd8\xff\xc0\x00\x00"]
)
def test_rest_of_a_file_is_no_crash(content: bytes) -> None:
    assert isinstance(complaint(content), str)
