"""Titles for the replica's issues, with the quirks that the archive's own had.

All but the famous few are made up: nobody should take them for a record of what TIME printed.
"""

from datetime import date
from hashlib import sha256

# Every title ends in a space.
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
    """A number that depends on nothing but the day and the word for what it chooses."""
    return int.from_bytes(sha256(f"{what} {day}".encode()).digest()[:8]) % below


def _pick(day: date, what: str, among: list[str]) -> str:
    return among[_number(day, what, len(among))]


def _person(day: date) -> str:
    return f"{_pick(day, 'first', _FIRST)} {_pick(day, 'last', _LAST)} "


def _subject(day: date) -> str:
    return _pick(day, "manner", _MANNER.split("|")).format(_pick(day, "subject", _SUBJECT))


def _oddity(day: date) -> str | None:
    """One of the rare shapes: about one title in 450 each, an ampersand in one of 35."""
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
    """The title of the issue of that day, as the archive's page has it once entities are decoded.

    >>> issue_title(date(2014, 3, 10))
    'Code Red '
    """
    plain = _person if _number(day, "kind", 10) < 7 else _subject
    return _REAL.get(day) or _oddity(day) or plain(day)
