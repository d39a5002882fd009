"""The archive's ways to write a date."""

import re
from datetime import date

_NAMES = ("January February March April May June July August September October November December").split()
# June and July were never abbreviated, and September was, in two ways.
_MONTHS = {
    spelling.lower(): number
    for number, name in enumerate(_NAMES, start=1)
    for spelling in (name, name[:3], *(["Sept"] if name == "September" else []))
}
_DATE = re.compile(r"\s*([A-Za-z]+)\.?\s+(\d{1,2})\s*,?\s+(\d{4})\s*", re.ASCII)


def parse_date(text: str) -> date:
    """Read a date as a cover page shows it: month, day and four-digit year.

    The month may be written in full or with three letters (four for "Sept"), with or without a
    dot; the day with or without a leading zero. Month names are English whatever the locale.

    >>> parse_date("Mar. 10, 2014")
    datetime.date(2014, 3, 10)
    >>> parse_date("June 4, 1923"), parse_date("Sept. 04, 1939")
    (datetime.date(1923, 6, 4), datetime.date(1939, 9, 4))

    Raises ValueError, naming the text, where it is not exactly one date that exists.

    >>> parse_date("Juny 31, 1999")
    Traceback (most recent call last):
    ValueError: not a date: 'Juny 31, 1999'
    """
    match = _DATE.fullmatch(text)
    month = match and _MONTHS.get(match[1].lower())
    if not match or not month:
        raise ValueError(f"not a date: {text!r}")
    try:
        return date(int(match[3]), month, int(match[2]))
    except ValueError as error:
        raise ValueError(f"not a date: {text!r} ({error})") from error
