"""Make text from servers safe and short enough for a log line, and read titles and dates in it."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any


def one_line(text: str) -> str:
    r"""Return the text with each nonprintable character escaped, so that it cannot break a line or control a terminal.

    >>> print(one_line("Mar.\n10 \x1b[2J"))
    Mar.\n10 \x1b[2J
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


# Control characters, and characters that change the direction of the text around them (Unicode, UAX #9).
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def clean(name: str, text: str, at_most: int = 1000) -> str:
    r"""Return a text of a page, for example its title, without control characters and bidirectional overrides.

    Raises: ValueError, with the *name* of the text, if it is empty or has more than *at_most* characters.

    >>> clean("title", "Code\x01 Red \u202egpj.exe")
    'Code Red gpj.exe'
    """
    if len(text) > at_most:
        raise ValueError(f"the {name} has {len(text):,} characters, more than {at_most:,}")
    if not (cleaned := re.sub(" +", " ", _CONTROLS.sub("", text)).strip(" ")):
        raise ValueError(f"the page has no {name}")
    return cleaned


def brief(what: BaseException | str | None) -> str:
    """Return an error's message, or its class name if the message is empty, cut to 200 characters."""
    text = str(what) or type(what).__name__
    return text if len(text) <= 200 else f"{text[:200]}…"


_NUMBERS = re.compile(r"(<[^>]*>|HTTP \d+)|\d[\d.,:]*")
_HINT = re.compile(r' \(scrapy shell "[^"]*"\)$')


def cause(reason: str) -> str:
    """Return the part of a failure's reason that stays the same as long as the cause does.

    Numbers change from crawl to crawl (bytes received, seconds, ports, lines of a spider), as does the hint to a stored
    page. HTTP statuses and the numbers in a URL are part of the cause.

    >>> cause('image <http://a/2014.jpg>: HTTP 404')
    'image <http://a/2014.jpg>: HTTP 404'
    >>> cause('the title has 1,234 characters (scrapy shell "./output/rejected/5f.html")')
    'the title has # characters'
    """
    return _NUMBERS.sub(lambda match: match[1] or "#", _HINT.sub("", reason))


def without_password(url: str) -> str:
    """Return a URL without user name and password.

    A password may contain ``/``, ``?`` or ``#`` that should have been escaped.

    >>> without_password("ftp://me:p@ss/w?rd@example.com/covers.json"), without_password("ftp://me:a/b@example.com/")
    ('ftp://example.com/covers.json', 'ftp://example.com/')
    >>> without_password("s3://bucket/a@b.json"), without_password("a@b.json")
    ('s3://bucket/a@b.json', 'a@b.json')
    """
    scheme, separator, rest = url.partition("://")
    host, _, port = rest.partition("/")[0].partition(":")
    if separator and ("@" in host or not (port.isdecimal() or not port)):
        rest = rest.rpartition("@")[2]
    return f"{scheme}{separator}{rest}"


def first_text(item: Mapping[str, Any], names: Iterable[str]) -> str:
    """Return the first of these fields that is not empty, as text on one line.

    >>> first_text({"title": None, "name": "Code  Red "}, ["title", "name"])
    'Code Red'
    """
    values = (" ".join(str(item[name]).split()) for name in names if item.get(name) not in (None, "", [], {}))
    return next(values, "")


_ISO = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?(?![\d-])", re.ASCII)


def iso_date(text: str) -> str:
    """Return the date at the beginning of a text in ISO 8601, or an empty string.

    >>> iso_date("2014-03-10T12:00:00Z"), iso_date("1923-03"), iso_date("1923"), iso_date("10.3.2014")
    ('2014-03-10', '1923-03', '1923', '')
    >>> iso_date("2014-02-30"), iso_date("0000"), iso_date("20140310")
    ('', '', '')
    """
    match = _ISO.match(text)
    if not match:
        return ""
    try:
        date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    except ValueError:
        return ""
    return match[0]
