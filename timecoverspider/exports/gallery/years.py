"""Count the images of each year, and find the weeks without an image."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

_LONGEST = 300  # years that a chart shows; of a longer time, it shows only the years that have images
_WEEK = timedelta(days=7)


class Bar(NamedTuple):
    """A bar of the chart, in units of the chart."""

    year: int
    images: int  # number of images
    x: float
    width: float
    height: float
    is_labelled: bool  # whether there is room for the year below the bar


def bars(dates: Sequence[str], width: int, height: int) -> list[Bar]:
    """Return a bar for each year from the first to the last date; dates are in ISO 8601, the oldest first.

    >>> [(bar.year, bar.images, bar.height) for bar in bars(["1923-03-03", "1923-03-10", "1925"], 100, 50)]
    [(1923, 2, 50.0), (1924, 0, 0.0), (1925, 1, 25.0)]
    """
    counts = Counter(int(text[:4]) for text in dates)
    if not counts:
        return []
    years: Sequence[int] = range(min(counts), max(counts) + 1)
    if len(years) > _LONGEST:
        years = sorted(counts)
    wide, most = min(60.0, width / len(years)), max(counts.values())
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 1000) if step * wide >= 40)
    return [
        Bar(
            year,
            counts[year],
            round(number * wide, 2),
            round(wide, 2),
            round(height * counts[year] / most, 2),
            not year % step,
        )
        for number, year in enumerate(years)
    ]


def weeks_without(dates: Sequence[str]) -> list[str]:
    """Return the Monday of each week, Monday to Sunday, without an image, if the images are weekly; else nothing.

    The images are weekly if most of them follow the one before after seven days.

    >>> weeks_without(["1932-05-16", "1932-05-23", "1932-06-06", "1932-06-13", "1932-06-20"])
    ['1932-05-30']
    >>> weeks_without(["1932-05-16", "1932-06-16", "1932-07-16"])
    []
    """
    days = sorted({date.fromisoformat(text) for text in dates if len(text) == 10})
    gaps = [later - earlier for earlier, later in pairwise(days)]
    if not gaps or gaps.count(_WEEK) * 2 <= len(gaps):
        return []
    mondays = {day - timedelta(days=day.weekday()) for day in days}
    first, last = min(mondays), max(mondays)
    every = (first + number * _WEEK for number in range((last - first) // _WEEK))
    return [monday.isoformat() for monday in every if monday not in mondays]
