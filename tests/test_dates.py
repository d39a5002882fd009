"""The archive's ways to write a date."""

import calendar
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timecoverspider.dates import parse_date
from timecoverspider.replica.issues import issue_dates

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
