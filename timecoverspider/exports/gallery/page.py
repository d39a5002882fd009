"""Render the page of a gallery: one HTML file with its style, its script and the facts of all images."""

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.exports.collection import Entry
from timecoverspider.exports.gallery.measurements import Measurement
from timecoverspider.exports.gallery.sheets import COLUMNS, Chunk
from timecoverspider.exports.gallery.years import Bar, bars, weeks_without
from timecoverspider.exports.quality.quality import Hint

_TEMPLATES = Path(__file__).parent / "templates"
_VIEWS = {"montage": "Montage", "plot": "Image plot", "averages": "Averages", "slices": "Slice scan", "years": "Years"}
_ON_CANVAS = ("montage", "plot", "slices")
_WITHOUT_DATES = ("montage", "slices")
_CHART_WIDTH, _CHART_HEIGHT = 1104, 130  # units of the SVG
_SHOWN = 200  # hints of a kind that the page shows
_NAMED = 100  # failed pages, or weeks without an image, that the page names


class Tile(NamedTuple):
    """An image on the page."""

    entry: Entry
    size: tuple[int, int]  # width and height in pixels, rotated as the EXIF orientation says
    measurement: Measurement


class Decade(NamedTuple):
    """A decade that has images."""

    year: int
    images: int  # number of images
    file: str  # the average of its images, below the gallery's folder
    size: tuple[int, int]  # width and height of the average in pixels


class Page(NamedTuple):
    """What the page shows."""

    dataset: Dataset
    tiles: Sequence[Tile]  # the oldest first, without a date last
    chunks: Sequence[Chunk]
    cell: tuple[int, int]  # width and height in the sheets, in pixels
    decades: Sequence[Decade]
    hints: Sequence[Hint]  # on the quality of the images
    note: str  # a sentence on the origin of the images


def render_quality(page: Page) -> str:
    """Return the HTML of the page of hints, by kind. A hint shows its images if they are on the page of all images."""
    kinds: dict[str, list[Hint]] = {}
    for hint in page.hints:
        kinds.setdefault(hint.what, []).append(hint)
    style = _read("gallery.css")
    return _template("quality.html").render(
        policy=_policy(style, ""),
        style=Markup(style),  # noqa: S704 (our own file)
        spider=page.dataset.catalog.spider,
        kinds=kinds,
        shown=_SHOWN,
        tiles={tile.entry.image.path: tile for tile in page.tiles},
        distinct=page.dataset.layout.distinct.name,
    )


def render(page: Page) -> str:
    """Return the HTML of the page of all images. Equal pages give equal HTML.

    Raises: CatalogError if the catalog cannot be read.
    """
    catalog = page.dataset.catalog
    style, script = (_read(f"gallery.{name}") for name in ("css", "js"))
    stated = [crawl.stated for crawl in page.dataset.crawls() if crawl.stated is not None]
    dates = [tile.entry.date for tile in page.tiles if tile.entry.date]
    chart = bars(dates, _CHART_WIDTH, _CHART_HEIGHT)
    return _template("gallery.html").render(
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704 (our own file)
        script=Markup(script),  # noqa: S704
        data=Markup(_data(page)),  # noqa: S704 (escaped there)
        spider=catalog.spider,
        hosts=catalog.hosts,
        note=page.note,
        count=len(page.tiles),
        span=_span(dates),
        missing=_missing(stated[-1] if stated else None, catalog.count()),
        failures=[(page.url, page.reason) for page in page.dataset.failures() if not page.is_accepted],
        named=_NAMED,
        views=_views(with_dates=bool(page.decades)),
        decades=page.decades,
        hints=len(page.hints),
        bars=chart,
        chart_width=_CHART_WIDTH,
        most=_most(chart),
        weeks=weeks_without(dates),
    )


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def _read(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Return the Content-Security-Policy: this style, this script and images beside the page, nothing else."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    allowed = f"style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; img-src 'self' file: data:"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def _views(*, with_dates: bool) -> list[dict[str, str]]:
    """Return the tabs; the image plot, the averages and the years need dates."""
    return [
        {"name": name, "label": label, "panel": "stage" if name in _ON_CANVAS else name}
        for name, label in _VIEWS.items()
        if with_dates or name in _WITHOUT_DATES
    ]


def _span(dates: Sequence[str]) -> str:
    """Return the first and the last year."""
    if not dates:
        return ""
    first, last = dates[0][:4], dates[-1][:4]
    return first if first == last else f"{first}\N{EN DASH}{last}"


def _missing(stated: int | None, stored: int) -> str:
    """Return a sentence if the site states more records than are stored."""
    if stated is None or stated <= stored:
        return ""
    return f"The site states {stated:,} records; {stated - stored:,} of them are missing here."


def _most(chart: Sequence[Bar]) -> str:
    """Return the year with the most images, and their number."""
    if not chart:
        return ""
    bar = max(chart, key=lambda bar: bar.images)
    return f"{bar.year} with {bar.images:,}"


def _data(page: Page) -> str:
    """Return the facts of all images as JSON that can stand in an HTML script element.

    Texts that begin alike are stored without their common beginning.
    """
    images = [tile.entry.image for tile in page.tiles]
    shape = median(height / width for width, height in (tile.size for tile in page.tiles))
    facts: dict[str, Any] = {
        "shape": round(min(2.0, max(0.5, shape)), 4),
        "cell": page.cell,
        "columns": COLUMNS,
        "chunks": [
            {"start": chunk.start, "count": len(chunk.entries), "sheet": f"sheets/{name}", "strip": f"strips/{name}"}
            for chunk in page.chunks
            if (name := chunk.name(page.cell))
        ],
        "dates": [tile.entry.date for tile in page.tiles],
        "titles": _shortened([tile.entry.title for tile in page.tiles]),
        "paths": _shortened([image.path for image in images]),
        "urls": _shortened([image.url for image in images]),
        "pages": _shortened([tile.entry.page_url for tile in page.tiles]),
        "stored": _shortened([image.stored[:19] for image in images]),
        "checksums": [image.checksum for image in images],
        "bytes": [image.bytes for image in images],
        "sizes": [tile.size for tile in page.tiles],
        "measurements": {
            name: [tile.measurement.rounded()[number] for tile in page.tiles]
            for number, name in enumerate(Measurement._fields)
        },
    }
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _shortened(texts: Sequence[str]) -> dict[str, Any]:
    first, last = min(texts, default=""), max(texts, default="")
    prefix = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    return {"prefix": prefix, "rest": [text[len(prefix) :] for text in texts]}
