"""Generate titles for the replica's issues, with the irregularities of the archive's titles.

Only the titles in ``_REAL`` are TIME's. All others are invented.
"""

from datetime import date
from hashlib import sha256

# As in the archive, each title ends with a space.
_REAL = {
    date(1923, 3, 3): "Joseph G. Cannon ",
    date(1923, 6, 4): "John L. Lewis ",
    date(1925, 12, 7): "Jos\N{REPLACEMENT CHARACTER} Mora ",
    date(1939, 1, 2): "Adolph Hitler, Man of the Year ",
    date(1964, 2, 28): "Thelonious Monk ",
    date(1969, 7, 25): "Neil Armstrong ",
    date(1976, 7, 4): "Thomas Jefferson ",
    date(1983, 1, 3): "The Computer,  Machine of the Year ",
    date(1988, 2, 29): "The Presidential Pack ",
    date(2001, 9, 14): "Special Edition: Sept. 11 ",
    date(2011, 2, 7): "Why Obama ♥ Reagan ",
    date(2013, 12, 19): "Nelson Mandela 1918-2013 ",
    date(2014, 1, 13): "2014: The Year Ahead ",
    date(2014, 3, 10): "Code Red ",
}
_FIRST = "Ada Ben Cora Dan Ella Finn Gina Hugo Iris Jack Kate Leo Mara Ned Olga Paul Rosa Sam Tess Walt".split()
_LAST = (
    "Abbott Barlow Carver Dalton Ellery Farrow Granger Holloway Ingram Jarvis Kessler Lindqvist Mercer "
    "Norwood Okafor Prescott Quimby Renner Sandoval Thackeray Underhill Vance Whitlock Yardley Zeller"
).split()
_SUBJECT = "Railroads Radio Wheat Jazz Polio Steel Suburbs Rockets Cities Oceans Genes Markets Winter Sleep".split()
_MANNER = "The New World of {} |{}: What Next? |The Battle over {} |America's {} |Inside {} |{} at the Crossroads "


def _number(day: date, what: str, below: int) -> int:
    """Return a number from 0 to *below* - 1 that depends only on *day* and *what*."""
    return int.from_bytes(sha256(f"{what} {day}".encode()).digest()[:8]) % below


def _pick(day: date, what: str, among: list[str]) -> str:
    return among[_number(day, what, len(among))]


def _person(day: date) -> str:
    return f"{_pick(day, 'first', _FIRST)} {_pick(day, 'last', _LAST)} "


def _subject(day: date) -> str:
    return _pick(day, "manner", _MANNER.split("|")).format(_pick(day, "subject", _SUBJECT))


def _oddity(day: date) -> str | None:
    """Return an irregular title or None: each form for one title in 450, the ampersand for one in 38."""
    last = _pick(day, "last", _LAST)
    shapes = [
        f"{_person(day)}\r\n ",
        f"{_pick(day, 'first', _FIRST)}  {last} ",
        f"André {last} ",
        "U2 ",
        f"How {_pick(day, 'subject', _SUBJECT)} Changed the Way We Work, Eat, Travel, Vote, Quarrel & Dream ",
        *[f"{last} & {_pick(day, 'other', _LAST)} "] * 12,
    ]
    number = _number(day, "oddity", 450)
    return shapes[number] if number < len(shapes) else None


def issue_title(day: date) -> str:
    """Return the title of an issue, as on the cover page after decoding HTML entities.

    >>> issue_title(date(2014, 3, 10))
    'Code Red '
    """
    plain = _person if _number(day, "kind", 10) < 7 else _subject
    return _REAL.get(day) or _oddity(day) or plain(day)
