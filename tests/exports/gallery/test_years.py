"""Bars and weeks without an image: what the docstrings do not show."""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from timecoverspider.exports.gallery.years import bars, weeks_without
from timecoverspider.replica.issues import issue_dates


def weekly(first: date, count: int) -> list[str]:
    return [(first + timedelta(days=7 * number)).isoformat() for number in range(count)]


def test_weeks_of_the_archive_without_an_issue_are_29() -> None:
    days = sorted(issue_dates())
    found = [date.fromisoformat(text) for text in weeks_without([str(day) for day in days])]
    with_issue = {day.isocalendar()[:2] for day in days}
    assert len(found) == 29
    assert not {day.isocalendar()[:2] for day in found} & with_issue


def test_weeks_begin_on_monday_whatever_the_day_of_the_images() -> None:
    days = [*weekly(date(2014, 3, 8), 5), *weekly(date(2014, 4, 19), 5)]  # Saturdays
    assert weeks_without(days) == ["2014-04-07"]


@pytest.mark.parametrize("days", [[], ["2014"], ["2014-03"] * 3, ["2014-03-10"], ["2014-03-10"] * 9])
def test_too_few_days_are_not_weekly(days: list[str]) -> None:
    assert weeks_without(days) == []


def test_days_at_both_ends_of_the_calendar_are_no_error() -> None:
    assert weeks_without(weekly(date(1, 1, 1), 4)) == []
    assert weeks_without(weekly(date(9999, 12, 10), 4)) == []


def test_bars_of_ten_thousand_years_are_those_with_images() -> None:
    assert [bar.year for bar in bars(["0001", "2014-03-10", "9999"], 1104, 130)] == [1, 2014, 9999]


@pytest.mark.parametrize("years", [1, 2, 30, 92, 300])
def test_bars_have_room_side_by_side_and_labels_do_too(years: int) -> None:
    found = bars([f"{1900 + year}" for year in range(years)], 1104, 130)
    assert all(right.x == pytest.approx(left.x + left.width, abs=0.02) for left, right in pairwise(found))
    assert found[-1].x + found[-1].width <= 1104.5
    labelled = [bar.x for bar in found if bar.is_labelled]
    assert all(right - left >= 39 for left, right in pairwise(labelled))
