"""The archive's ways to write a date."""

import calendar
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timecoverspider.dates import date_in_url, parse_date
from timecoverspider.replica.issues import issue_dates


@contextmanager
def cpu_time(seconds: int) -> Iterator[None]:
    """Fail if the context takes more CPU time, as a regular expression that goes back again and again does."""

    def end(number: int, frame: object) -> None:
        pytest.fail(f"more than {seconds} s of CPU time")

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


FULL = list(calendar.month_name)[1:]
ARCHIVE = "Jan. Feb. Mar. Apr. May June July Aug. Sep. Oct. Nov. Dec.".split()


@pytest.mark.parametrize("form", ["{month} {day}, {year}", "{month} {day:02}, {year}", " {month}  {day},\n{year:04} "])
def test_parse_date_reads_back_every_issue(form: str) -> None:
    for day in issue_dates():
        for name in (FULL[day.month - 1], FULL[day.month - 1][:3], ARCHIVE[day.month - 1]):
            text = form.format(month=name, day=day.day, year=day.year)
            assert parse_date(text) == day, text


@pytest.mark.parametrize("month", ["Sep", "Sep.", "Sept", "Sept.", "September", "september", "SEPT."])
def test_parse_date_reads_every_september(month: str) -> None:
    assert parse_date(f"{month} 4, 1939") == date(1939, 9, 4)


@given(st.dates(), st.sampled_from(["{} {}, {:04}", "{}. {:02}, {:04}", "{} {} {:04}"]))
def test_parse_date_reads_back_any_date(day: date, form: str) -> None:
    assert parse_date(form.format(FULL[day.month - 1], day.day, day.year)) == day


@pytest.mark.parametrize(
    "text",
    [
        "", "2014", "March 2014", "Mar. , 2014", "Mar. 10", "Mar. 10, 14", "Mars 10, 2014", "Marc 10, 2014",
        "Juny 3, 1999", "Ju 3, 1999", "Feb. 30, 2000", "Feb. 29, 1900", "June 0, 1923", "June 31, 1923",
        "10 March 2014", "Mar. 10, 2014 or Mar. 17, 2014", "Mar. 10, 20140", "Mar. ١٠, 2014", "Sepp. 4, 1939",
    ],
)  # fmt: skip
def test_parse_date_of_anything_else_raises_a_value_error_that_quotes_it(text: str) -> None:
    with pytest.raises(ValueError, match="not a date") as caught:
        parse_date(text)
    assert repr(text) in str(caught.value)


@given(st.text())
def test_parse_date_gives_a_date_or_a_value_error(text: str) -> None:
    try:
        day = parse_date(text)
    except ValueError:
        return
    assert f"{day.year:04}" in text


@pytest.mark.parametrize(
    "text",
    ["Mar." + " " * 10**6, "Mar. 10" + " " * 10**6, "Mar. 10" + " ," * 10**6, "M" * 10**6, "Mar. " + "1" * 10**6,
     "Mar. 10," + "\xa0" * 10**6 + "x", "\t\n" * 10**6],
)  # fmt: skip
def test_parse_date_of_a_long_text_ends_and_quotes_its_beginning(text: str) -> None:
    with cpu_time(20), pytest.raises(ValueError, match="not a date") as caught:  # it takes some milliseconds
        parse_date(text)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("url", "day"),
    [
        ("/time/covers/0,16641,20140310,00.html?v=2", date(2014, 3, 10)),
        ("/time/covers/0,16641,20140231,00.html", None),
        ("/time/covers/0,16641,00000000,00.html", None),
        ("/time/covers/0,16641,٢٠١٤٠٣١٠,00.html", None),
        ("/time/covers/1.html", None),
        ("," * 10**6, None),
    ],
)
def test_date_in_url_is_a_day_of_the_calendar_or_none(url: str, day: date | None) -> None:
    assert date_in_url(url) == day
