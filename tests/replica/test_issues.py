"""The dates of the issues of the replica."""

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

import pytest

from timecoverspider.replica.issues import issue_dates


def test_issue_dates_are_the_archives_4763() -> None:
    days = issue_dates()
    assert len(days) == len(set(days)) == 4763
    assert days == sorted(days, reverse=True)
    assert (days[0], days[-1]) == (date(2014, 3, 10), date(1923, 3, 3))
    # What the tutorial lost.
    months = Counter(day.month for day in days)
    assert (months[6], months[7]) == (392, 402)


def test_issue_dates_change_their_weekday_when_the_archive_did() -> None:
    days = set(issue_dates())
    assert {
        date(1923, 5, 19),
        date(1923, 5, 28),
        date(1961, 1, 2),
        date(1961, 1, 6),
        date(1969, 12, 26),
        date(1970, 1, 5),
    } <= days
    assert not {date(1923, 5, 26), date(1961, 1, 9), date(1970, 1, 2), date(2014, 3, 17)} & days


def test_issue_dates_have_the_gaps_and_extra_issues_of_the_archive() -> None:
    days = set(issue_dates())
    assert not {date(1932, 5, 30), date(2000, 1, 3), date(2001, 1, 1), date(2014, 1, 6)} & days
    assert {date(1932, 5, 31), date(1976, 7, 4), date(2001, 9, 14), date(2001, 9, 15), date(2013, 12, 19)} <= days


@pytest.mark.parametrize("count", [0, 1, 16, 4762, 4763])
def test_issue_dates_of_a_small_archive_are_the_newest(count: int) -> None:
    assert issue_dates(count) == issue_dates()[:count]


def test_issue_dates_of_a_larger_archive_go_on_week_by_week() -> None:
    days = issue_dates(5000)
    assert days[:4763] == issue_dates()
    assert {newer - older for newer, older in pairwise(days[4762:])} == {timedelta(days=7)}


def test_issue_dates_of_a_huge_archive_go_on_day_by_day() -> None:
    assert len(issue_dates(105_056)) == 105_056
    days = issue_dates(476_300)
    assert len(set(days)) == 476_300
    assert days[4762] - days[4763] == timedelta(days=1)
    with pytest.raises(ValueError, match="at most 706,819 issues"):
        issue_dates(706_820)
