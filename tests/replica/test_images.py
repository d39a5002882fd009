"""The images of the replica."""

from datetime import date
from hashlib import sha256
from io import BytesIO

import pytest
from PIL import Image, ImageStat

from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.issues import issue_dates

DECADES = range(1930, 2020, 10)


def drawn(day: date, width: int = 400) -> Image.Image:
    return Image.open(BytesIO(draw_cover(day, width)))


@pytest.mark.parametrize(("width", "size"), [(400, (400, 527)), (600, (600, 790))])
def test_cover_has_the_size_of_the_archives(width: int, size: tuple[int, int]) -> None:
    cover = drawn(date(2012, 1, 9), width)
    cover.load()
    assert (cover.format, cover.size) == ("JPEG", size)


def test_cover_is_grey_before_1927_and_has_a_red_border_from_then_on() -> None:
    assert drawn(date(1926, 12, 27)).mode == "L"
    cover = drawn(date(1927, 1, 3))
    assert cover.mode == "RGB"
    for corner in ((3, 3), (396, 3), (3, 523), (396, 523)):
        red, green, blue = cover.getpixel(corner)
        assert red > 150 > 80 > max(green, blue)


def test_cover_is_always_the_same_and_unlike_all_others() -> None:
    days = issue_dates()[::9]
    assert draw_cover(days[7], 400) == draw_cover(days[7], 400)
    assert len({sha256(draw_cover(day, 400)).digest() for day in days}) == len(days)


def test_average_cover_differs_by_decade() -> None:
    def average(decade: int) -> list[float]:
        days = [day for day in issue_dates() if day.year // 10 * 10 == decade][::40]
        means = [ImageStat.Stat(drawn(day)).mean for day in days]
        return [sum(channel) / len(means) for channel in zip(*means, strict=True)]

    averages = [average(decade) for decade in DECADES]
    for number, one in enumerate(averages):
        for other in averages[number + 1 :]:
            assert max(abs(a - b) for a, b in zip(one, other, strict=True)) > 10
