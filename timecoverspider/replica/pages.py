"""Generate the archive's pages as HTML from dates alone."""

from collections.abc import Iterable, Sequence
from datetime import date
from html import escape

from timecoverspider.replica.titles import issue_title

HOSTS = SEARCH, CONTENT, IMAGES = "search.time.com", "content.time.com", "img.timeinc.net"
PAGE_SIZE = 15  # covers per listing page
ROBOTS_TXT = "User-agent: *\nDisallow: /time/subscriber/\nDisallow: /search/advanced.html\n"

US_EDITION = "46 30"
# The values of the URL parameter N. The replica has issues only of the first edition.
_EDITIONS = {
    US_EDITION: "TIME U.S.",
    "46 31": "TIME Europe",
    "46 32": "TIME Asia",
    "46 33": "TIME South Pacific",
}
# The archive did not abbreviate June and July.
_MONTHS = "Jan. Feb. Mar. Apr. May June July Aug. Sep. Oct. Nov. Dec.".split()
_FIRST_LARGE_IMAGE = date(2012, 1, 9)
# The session parameters in the archive's links to editions.
_SESSION = "sid=150424A4D8E2&internalid=endeca_dimension"


def _digits(day: date) -> str:
    return day.isoformat().replace("-", "")


def cover_url(day: date) -> str:
    """Return the URL of an issue's cover page."""
    return f"http://{CONTENT}/time/covers/0,16641,{_digits(day)},00.html"


def image_width(day: date) -> int:
    """Return the width of an issue's image: 400 or 600 pixels."""
    return 600 if day >= _FIRST_LARGE_IMAGE else 400


def image_url(day: date) -> str:
    """Return the URL of an issue's image."""
    year, month_day = _digits(day)[:4], _digits(day)[2:]
    return f"http://{IMAGES}/time/magazine/archive/covers/{year}/1101{month_day}_{image_width(day)}.jpg"


def listing_url(edition: str = US_EDITION, offset: int = 0, between: tuple[date, date] | None = None) -> str:
    """Return the URL of a listing page with covers of an edition, newest first, starting at *offset*."""
    dates = f"&Nf=p_date_range|BTWN+{'+'.join(map(_digits, between))}" if between else ""
    start = f"&No={offset}" if offset else ""
    return f"http://{SEARCH}/results.html?N={edition.replace(' ', '+')}&Ns=p_date_range|1{dates}&Nty=1{start}"


def _link(url: str, text: str) -> str:
    return f'<a href="{escape(url)}">{escape(text, quote=False)}</a>'


def _page(title: str, body: Iterable[str]) -> str:
    lines = "\n".join(body)
    return (
        f'<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n</head>\n'
        f"<body>\n{lines}\n</body>\n</html>\n"
    )


def index_page(issues: int) -> str:
    """Return the start page: a link to each of the four editions, with its number of issues."""
    counts = {US_EDITION: issues}
    facets = (
        f"<li>{_link(f'{listing_url(edition)}&{_SESSION}', f'{name} ({counts.get(edition, 0)})')}</li>"
        for edition, name in _EDITIONS.items()
    )
    return _page(
        "TIME Cover Search",
        [
            "<h1>TIME Cover Search</h1>",
            '<div class="refineCol">',
            "<h4>Edition</h4>",
            "<ul>",
            *facets,
            "</ul>",
            "</div>",
        ],
    )


def _cover_entry(day: date) -> str:
    title = escape(issue_title(day), quote=False)
    return (
        f'<li class="cover">\n<h3>{title}</h3>\n<p>{_MONTHS[day.month - 1]} {day.day}, {day.year:04}</p>\n'
        f"<p>{_link(cover_url(day), 'Large Cover')} | {_link(cover_url(day) + '#buy', 'Buy a Reprint')}</p>\n</li>"
    )


def listing_page(
    days: Sequence[date], edition: str = US_EDITION, offset: int = 0, between: tuple[date, date] | None = None
) -> str:
    """Return a listing page of up to 15 covers.

    *days* are the dates of all requested issues, newest first; *offset* is the number of covers on earlier pages. The
    first page has no Previous link, and the last page has no Next link.
    """
    shown = days[offset : offset + PAGE_SIZE]
    steps = [("Previous", offset - PAGE_SIZE), ("Next", offset + PAGE_SIZE)]
    pages = " ".join(
        _link(listing_url(edition, start, between), text) for text, start in steps if 0 <= start < len(days)
    )
    first = offset + 1 if shown else 0
    return _page(
        f"{_EDITIONS.get(edition, 'TIME')} covers",
        [
            f"<h1>{_EDITIONS.get(edition, 'TIME')}: {first}-{offset + len(shown)} of {len(days)} covers</h1>",
            "<ul>",
            *map(_cover_entry, shown),
            "</ul>",
            f'<div class="pages">{pages}</div>',
        ],
    )


def cover_page(day: date) -> str:
    """Return the cover page of an issue, with its title, date and image."""
    title = issue_title(day)
    year = _link(listing_url(between=(date(day.year, 1, 1), date(day.year, 12, 31))), f"{day.year:04}")
    return _page(
        f"TIME Magazine Cover: {title.strip()}",
        [
            '<article class="art-cover-photo">',
            f'<figure><a href="#"><img src="{image_url(day)}" alt="{escape(title.strip())}"></a></figure>',
            "</article>",
            '<aside class="content-main-aside">',
            f"<h1>{escape(title, quote=False)}<time>{_MONTHS[day.month - 1]} {day.day}, {year}</time></h1>",
            f"<p>{_link(listing_url(), 'All covers')}</p>",
            "</aside>",
        ],
    )
