"""Parse dates: those of the archive's cover pages, and ISO 8601."""

import re
from datetime import date

_NAMES = ("January February March April May June July August September October November December").split()
# The archive never abbreviated June and July; it abbreviated September as Sep. and Sept.
_MONTHS = {
    spelling.lower(): number
    for number, name in enumerate(_NAMES, start=1)
    for spelling in (name, name[:3], *(["Sept"] if name == "September" else []))
}
_DATE = re.compile(r"([A-Za-z]+)\.? (\d{1,2}) ?,? (\d{4})", re.ASCII)
_URL = re.compile(r",(\d{4})(\d\d)(\d\d),", re.ASCII)


def parse_date(text: str, expected: date | None = None) -> date:
    """Return the date in a text such as "Mar. 10, 2014": month, day and four-digit year.

    The month is an English name in any locale, in full or as its first three letters (also "Sept"), with or without a
    dot. The day can have a leading zero.

    >>> parse_date("Mar. 10, 2014")
    datetime.date(2014, 3, 10)
    >>> parse_date("June 4, 1923"), parse_date("Sept. 04, 1939")
    (datetime.date(1923, 6, 4), datetime.date(1939, 9, 4))

    Raises: ValueError, with the text, if the text is not exactly one existing date.

    >>> parse_date("Juny 31, 1999")
    Traceback (most recent call last):
    ValueError: not a date: 'Juny 31, 1999'

    Raises: ValueError also if the text is not the *expected* date.

    >>> parse_date("Mar. 10, 2014", date(2014, 3, 17))
    Traceback (most recent call last):
    ValueError: the page shows 2014-03-10, and its link says 2014-03-17
    """
    match = _DATE.fullmatch(" ".join(text.split()))
    month = match and _MONTHS.get(match[1].lower())
    if not match or not month:
        raise ValueError(f"not a date: {text[:50]!r}")
    try:
        shown = date(int(match[3]), month, int(match[2]))
    except ValueError as error:
        raise ValueError(f"not a date: {text!r} ({error})") from error
    if expected not in (None, shown):
        raise ValueError(f"the page shows {shown}, and its link says {expected}")
    return shown


def date_in_url(url: str) -> date | None:
    """Return the date in the URL of a cover page, or None if the URL has no date.

    >>> date_in_url("http://content.time.com/time/covers/0,16641,20140310,00.html")
    datetime.date(2014, 3, 10)
    """
    match = _URL.search(url)
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:  # no day of the calendar
        return None
