"""Hints on the quality of images: what is found, and what is not."""

from collections.abc import Mapping
from datetime import date
from io import BytesIO
from pathlib import Path

import pytest
from image_set import CHANGES, draw, encode, make_image_set
from PIL import Image as Picture

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.exports.quality.quality import Hint, inspect
from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.issues import issue_dates

NUMBER = 40
PLANTED = "full/planted.jpg"


@pytest.fixture(scope="module")
def usual() -> dict[str, bytes]:
    """Forty images that share no more than a frame."""
    return {f"full/{number}.jpg": encode(draw(number)) for number in range(NUMBER)}


def hints(folder: Path, images: Mapping[str, bytes], pages: Mapping[str, int] | None = None) -> list[Hint]:
    make_image_set(folder, images, pages)
    return look(folder)


def look(folder: Path) -> list[Hint]:
    with Dataset(folder) as dataset:
        return inspect(dataset, lambda number: None)


def named(found: list[Hint]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(hint.what, hint.subject, hint.others) for hint in found]


def test_usual_images_have_no_hints_and_each_step_is_counted(tmp_path: Path, usual: dict[str, bytes]) -> None:
    make_image_set(tmp_path, usual)
    done: list[int] = []
    with Dataset(tmp_path) as dataset:
        assert inspect(dataset, done.append) == []
    assert sum(done) == 3 * NUMBER


@pytest.mark.parametrize("number", [0, 1, 2, 3, 10])
def test_small_sets_have_no_hints(tmp_path: Path, usual: dict[str, bytes], number: int) -> None:
    assert hints(tmp_path, dict(list(usual.items())[:number])) == []


def test_near_duplicates_of_a_small_set_are_not_named(tmp_path: Path, usual: dict[str, bytes]) -> None:
    planted = {PLANTED: encode(CHANGES["darkened"](draw(3)))}
    assert hints(tmp_path, {**dict(list(usual.items())[:10]), **planted}) == []


def test_near_duplicates_are_found_and_no_others(tmp_path: Path, usual: dict[str, bytes]) -> None:
    planted = {
        f"full/{change}.jpg": encode(CHANGES[change](draw(number)), quality=80) for number, change in enumerate(CHANGES)
    }
    found = [hint for hint in hints(tmp_path, {**usual, **planted}) if hint.what == "near duplicate"]
    pairs = {hint.subject: hint.others for hint in found}
    assert pairs == {f"full/{change}.jpg": (f"full/{number}.jpg",) for number, change in enumerate(CHANGES)}
    assert found[0].page_url == "http://site/40-0"
    assert found[0].reason == "looks like full/0.jpg (<http://site/0-0>)"


def test_set_in_which_every_image_is_twice_has_all_pairs(tmp_path: Path, usual: dict[str, bytes]) -> None:
    copies = {f"full/copy{number}.jpg": encode(draw(number), quality=40) for number in range(NUMBER)}
    found = named(hints(tmp_path, {**usual, **copies}))
    assert sorted(found) == sorted(
        ("near duplicate", f"full/copy{number}.jpg", (f"full/{number}.jpg",)) for number in range(NUMBER)
    )


def test_files_with_equal_bytes_are_duplicates(tmp_path: Path) -> None:
    content = encode(draw(1))
    found = hints(tmp_path, {"full/a.jpg": content, "full/b.jpg": content})
    assert named(found) == [("duplicate", "full/b.jpg", ("full/a.jpg",))]


def test_images_with_equal_pixels_are_duplicates(tmp_path: Path) -> None:
    jpeg = encode(draw(1))
    png = encode(Picture.open(BytesIO(jpeg)), "PNG")
    commented = jpeg[:2] + b"\xff\xfe\x00\x06mine" + jpeg[2:]
    other = encode(draw(2))
    images = {"full/a.jpg": jpeg, "full/b.png": png, "full/c.jpg": commented, "full/d.jpg": other}
    found = hints(tmp_path, images)
    assert named(found) == [("duplicate", path, ("full/a.jpg",)) for path in ("full/b.png", "full/c.jpg")]


def test_image_of_several_records_is_a_placeholder(tmp_path: Path, usual: dict[str, bytes]) -> None:
    [hint] = hints(tmp_path, usual, {"full/3.jpg": 2})
    assert (hint.what, hint.subject, hint.reason) == ("placeholder", "full/3.jpg", "the image serves for 2 records")


def test_file_under_several_paths_is_one_placeholder(tmp_path: Path) -> None:
    content = encode(draw(1))
    found = hints(tmp_path, {f"full/{name}.jpg": content for name in "abc"})
    assert named(found) == [("placeholder", "full/a.jpg", ("full/b.jpg", "full/c.jpg"))]


def test_image_unlike_all_others_in_size_and_shape_is_a_placeholder(tmp_path: Path, usual: dict[str, bytes]) -> None:
    found = hints(tmp_path, {**usual, "full/none.png": encode(Picture.new("P", (90, 90), 200), "PNG")})
    assert named(found) == [(what, "full/none.png", ()) for what in ("placeholder", "odd mode", "odd format")]
    assert "90x90" in found[0].reason


def test_odd_images_are_named(tmp_path: Path, usual: dict[str, bytes]) -> None:
    odd = {
        "full/large.jpg": encode(draw(50, (400, 528))),
        "full/wide.jpg": encode(draw(53, (264, 200))),
        "full/mode.jpg": encode(draw(51).convert("L")),
        "full/name.jpeg": encode(draw(52), "PNG"),
    }
    found = named(hints(tmp_path, {**usual, **odd}))
    assert found == [
        ("odd size", "full/large.jpg", ()),
        ("odd size", "full/wide.jpg", ()),
        ("odd mode", "full/mode.jpg", ()),
        ("odd format", "full/name.jpeg", ()),
    ]


def test_jpeg_that_ends_early_is_a_decoder_warning(tmp_path: Path) -> None:
    content = encode(draw(1))
    [hint] = hints(tmp_path, {"full/a.jpg": content[: len(content) // 2] + b"\xff\xd9", "full/b.jpg": encode(draw(2))})
    assert (hint.what, hint.subject) == ("decoder warning", "full/a.jpg")
    assert hint.reason == "the data ends before the last pixel"


def test_images_that_cannot_be_read_are_left_out(tmp_path: Path, usual: dict[str, bytes]) -> None:
    make_image_set(tmp_path, {**usual, "full/no.jpg": b"no image"})
    (tmp_path / "full/1.jpg").unlink()
    (tmp_path / "full/2.jpg").write_bytes(b"\xff\xd8 cut")
    (tmp_path / "full/3.jpg").write_bytes(usual["full/4.jpg"])  # verify names this file: it is altered
    assert look(tmp_path) == []


def test_distinct_images_are_not_named(tmp_path: Path, usual: dict[str, bytes]) -> None:
    same = encode(draw(1))
    planted = {
        PLANTED: encode(draw(7), quality=60),
        "full/same.jpg": same,
        "full/pixels.png": _png(usual["full/2.jpg"]),
    }
    found = named(hints(tmp_path, {**usual, "full/1.jpg": same, **planted}))
    pairs = [(subject, *others) for what, subject, others in found if what.endswith("duplicate")]
    assert len(pairs) == 3
    lines = [" ".join(reversed(pair)) for pair in pairs]
    (tmp_path / "distinct.txt").write_text(f"# looked at\n\n{lines[0]}\t# one issue\n" + "\n".join(lines[1:]))
    assert named(look(tmp_path)) == [row for row in found if not row[0].endswith("duplicate")]


def _png(content: bytes) -> bytes:
    return encode(Picture.open(BytesIO(content)), "PNG")


def test_bad_lines_of_distinct_images_are_named_with_their_number(tmp_path: Path, usual: dict[str, bytes]) -> None:
    make_image_set(tmp_path, usual)
    lines = ["full/1.jpg full/2.jpg", "full/1.jpg", "# comment", "full/1.jpg full/lost.jpg", "full/1.jpg full/1.jpg"]
    (tmp_path / "distinct.txt").write_bytes("\n".join([*lines, '"full/1.jpg']).encode() + b"\nfull/\xff full/1.jpg")
    found = look(tmp_path)
    assert {(hint.what, hint.subject) for hint in found} == {
        ("bad line", f"distinct.txt:{number}") for number in (2, 4, 5, 6, 7)
    }
    assert "has 1" in found[0].reason
    assert "full/lost.jpg" in found[1].reason


def test_distinct_file_that_cannot_be_read_is_named(tmp_path: Path, usual: dict[str, bytes]) -> None:
    make_image_set(tmp_path, usual)
    (tmp_path / "distinct.txt").mkdir()
    assert named(look(tmp_path)) == [("bad line", "distinct.txt", ())]


@pytest.mark.slow
def test_ten_planted_near_duplicates_among_all_covers_are_found_with_few_false_pairs(tmp_path: Path) -> None:
    days = issue_dates()
    covers = {_path(day): draw_cover(day, 600 if day.year > 2012 else 400) for day in days}
    originals = dict(zip(CHANGES, days[100::470], strict=False))
    planted = {}
    for change, day in originals.items():
        cover = Picture.open(BytesIO(covers[_path(day)]))
        planted[f"full/{change}.jpg"] = encode(CHANGES[change](cover), quality=80)
    near = {(row[1], *row[2]) for row in named(hints(tmp_path, {**covers, **planted})) if row[0] == "near duplicate"}
    expected = {(f"full/{change}.jpg", _path(day)) for change, day in originals.items()}
    assert len(expected) == 10
    assert expected <= near
    assert len(near - expected) <= 5


def _path(day: date) -> str:
    return f"full/{day}.jpg"
