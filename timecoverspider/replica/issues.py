"""The dates of the archive's issues."""

from datetime import date, timedelta
from itertools import chain

# Runs of weekly issues: the first date and the last date.
_RUNS = (
    (date(1923, 3, 3), date(1923, 5, 19)),
    (date(1923, 5, 28), date(1961, 1, 2)),
    (date(1961, 1, 6), date(1969, 12, 26)),
    (date(1970, 1, 5), date(2014, 3, 10)),
)
_NO_ISSUE = """
    1932-05-30 1988-11-14 1995-01-02 1996-01-01 1997-01-06 1998-01-05 1999-01-04 2000-01-03
    2000-01-10 2001-01-01 2002-01-07 2003-01-06 2004-01-05 2005-01-03 2006-01-02 2007-01-01
    2007-01-08 2008-01-07 2009-01-05 2010-01-04 2011-01-03 2011-08-01 2012-01-02 2013-01-07
    2013-05-06 2013-07-15 2013-09-02 2014-01-06
"""
_EXTRA_ISSUES = """
    1932-05-31 1960-11-16 1964-11-04 1976-07-04 1983-10-05 1989-10-25 1990-11-01 1992-10-15
    1993-11-18 1995-03-01 1996-06-28 1997-05-21 1997-10-01 1999-12-31 2000-01-01 2000-04-26
    2001-09-14 2001-09-15 2002-12-18 2003-02-05 2003-03-30 2003-08-28 2004-04-15 2004-09-14
    2006-03-12 2006-09-10 2006-11-21 2007-03-04 2007-04-22 2007-08-19 2007-09-16 2007-11-25
    2008-10-05 2008-11-02 2008-11-30 2009-03-22 2009-05-03 2009-07-07 2009-09-13 2011-05-20
    2013-12-19
"""
_WEEK = timedelta(days=7)
_DAY = timedelta(days=1)


def _every(step: timedelta, first: date, count: int) -> list[date]:
    return [first + step * number for number in range(count)]


def _parsed(days: str) -> set[date]:
    return {date.fromisoformat(day) for day in days.split()}


def issue_dates(count: int | None = None) -> list[date]:
    """Return the dates of *count* issues, newest first; by default the archive's 4,763 dates.

    A smaller archive has only the newest issues. A larger archive has more issues before 1923: one a week, or one a day
    if there are not enough weeks after the year 1.

    Raises: ValueError if there are not enough days after the year 1.
    """
    weekly = chain.from_iterable(_every(_WEEK, first, (last - first) // _WEEK + 1) for first, last in _RUNS)
    dates = sorted((set(weekly) - _parsed(_NO_ISSUE)) | _parsed(_EXTRA_ISSUES), reverse=True)
    if count is None:
        return dates
    if count <= len(dates):
        return dates[: max(count, 0)]
    missing, room = count - len(dates), dates[-1] - date.min
    step = _WEEK if missing * _WEEK <= room else _DAY
    if missing * step > room:
        raise ValueError(f"at most {len(dates) + room // _DAY:,} issues fit between the years 1 and 2014")
    return dates + _every(-step, dates[-1] - step, missing)
