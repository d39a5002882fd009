"""The titles of the issues of the replica."""

from collections import Counter
from datetime import date

import pytest

from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.titles import issue_title


@pytest.fixture(scope="module")
def titles() -> list[str]:
    return [issue_title(day) for day in issue_dates()]


@pytest.mark.parametrize(
    ("day", "title"),
    [
        (date(1923, 3, 3), "Joseph G. Cannon "),
        (date(1939, 1, 2), "Adolph Hitler, Man of the Year "),
        (date(2011, 2, 7), "Why Obama ♥ Reagan "),
        (date(2014, 1, 13), "2014: The Year Ahead "),
        (date(2014, 3, 10), "Code Red "),
    ],
)
def test_issue_title_of_a_famous_issue(day: date, title: str) -> None:
    assert issue_title(day) == title


def test_issue_titles_have_the_archives_quirks(titles: list[str]) -> None:
    assert all(title.endswith(" ") and title.strip() for title in titles)
    assert sum("&" in title for title in titles) > 100
    assert sum(not title.isascii() for title in titles) > 10
    assert sum(title.endswith("\r\n ") for title in titles) >= 4
    assert sum("  " in title for title in titles) >= 9
    assert sum("\ufffd" in title for title in titles) == 1
    assert Counter(titles).most_common(1)[0][1] >= 19
    assert min(map(len, titles)) == 3  # "U2 "
    assert max(map(len, titles)) > 70
