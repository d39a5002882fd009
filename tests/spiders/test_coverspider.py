"""The three callbacks on pages as the archive had them, written by hand."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scrapy.http import HtmlResponse, Request

from timecoverspider.items import MagazineCover
from timecoverspider.replica.pages import cover_page
from timecoverspider.spiders.coverspider import CoverSpider

INDEX = """
<div class="refineCol"><h4>Source</h4><ul>
 <li><a href="http://search.time.com/results.html?N=46+30&amp;Ns=p_date_range|1&amp;sid=1">TIME U.S. (4762)</a></li>
 <li><a href="http://search.time.com/results.html?N=46+31&amp;Ns=p_date_range|1&amp;Nty=1">TIME Europe (700)</a></li>
 <li><a href="/results.html?N=46+32">TIME Asia (500)</a></li>
</ul></div>
<ul><li><a href="/elsewhere">TIME U.S. subscriptions</a></li></ul>
"""
LISTING = """
<div><a href="http://content.time.com/time/covers/0,16641,20140310,00.html">Large Cover</a> <a href="/buy">Buy</a></div>
<div><a href="//content.time.com/time/covers/0,16641,20140303,00.html"><b>Large Cover</b></a></div>
<div class="pages"><a href="/results.html?No=0">Previous</a> <a href="results.html?N=46+30&amp;No=30">Next</a></div>
<a href="/results.html?No=999">Next magazine</a>
"""
COVER = """
<article class="art-cover-photo"><figure><a href="#"><img src="{src}"></a></figure></article>
<aside class="content-main-aside"><h1>{title}<time>{day}<a href="#">{year}</a></time></h1></aside>
"""
IMAGE = "http://img.timeinc.net/time/magazine/archive/covers/2014/1101140310_600.jpg"


def page(body: str, url: str = "http://search.time.com/results.html?N=46", encoding: str = "utf-8") -> HtmlResponse:
    content = f"<html><body>{body}</body></html>".encode(encoding)
    return HtmlResponse(url, body=content, encoding=encoding, request=Request(url))


def followed(body: str, callback: str) -> list[tuple[str, str]]:
    requests: list[Request] = list(getattr(CoverSpider(), callback)(page(body)))
    return [(request.url, request.callback.__name__) for request in requests]  # type: ignore[union-attr]


def cover(
    title: str = "Code Red ", day: str = "Mar. 10, ", year: str = "2014", src: str = IMAGE, body: str = COVER
) -> MagazineCover:
    html = body.format(title=title, day=day, year=year, src=src)
    [item] = CoverSpider().parse_covers(page(html, "http://content.time.com/time/covers/0,16641,20140310,00.html"))
    return item


def test_index_leads_only_to_the_us_edition() -> None:
    assert followed(INDEX, "parse") == [
        ("http://search.time.com/results.html?N=46+30&Ns=p_date_range%7C1&sid=1", "parse_page")
    ]


def test_listing_leads_to_the_next_one_and_to_its_covers() -> None:
    assert followed(LISTING, "parse_page") == [
        ("http://search.time.com/results.html?N=46+30&No=30", "parse_page"),
        ("http://content.time.com/time/covers/0,16641,20140310,00.html", "parse_covers"),
        ("http://content.time.com/time/covers/0,16641,20140303,00.html", "parse_covers"),
    ]


def test_listing_without_next_link_ends_pagination() -> None:
    last = LISTING.replace(">Next</a>", ">Last</a>")
    assert [callback for _, callback in followed(last, "parse_page")] == ["parse_covers", "parse_covers"]


def test_listing_without_covers_raises_a_value_error_after_its_next_link() -> None:
    requests = CoverSpider().parse_page(page(LISTING.replace("Large Cover", "Video")))
    assert next(requests).url.endswith("No=30")
    with pytest.raises(ValueError, match="no covers"):
        next(requests)


@pytest.mark.parametrize("link", ["http://[", "http://content.time.com:99999/", "javascript:void(0)"])
def test_listing_with_a_link_that_is_no_url_gives_a_request_that_will_be_refused(link: str) -> None:
    html = LISTING.replace("http://content.time.com/time/covers/0,16641,20140310,00.html", link)
    urls = [url for url, _ in followed(html, "parse_page")]
    assert len(urls) == 3
    assert not urls[1].startswith("http://content.time.com/time/")


def test_cover_page_gives_the_record() -> None:
    assert dict(cover()) == {"title": "Code Red", "pubDate": "2014-03-10", "file_urls": [IMAGE]}


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("Nixon &amp; Agnew ", "Nixon & Agnew"),
        ("  The Computer,  Machine\t of the Year \r\n ", "The Computer, Machine of the Year"),
        ("Why Obama ♥ Reagan ", "Why Obama ♥ Reagan"),
        ("Jos\ufffd Mora ", "Jos\ufffd Mora"),
        ("2014: The Year Ahead ", "2014: The Year Ahead"),
        ("U2 ", "U2"),
        ("&lt;b&gt;Bold&lt;/b&gt; \\n %s {x} ", "<b>Bold</b> \\n %s {x}"),
    ],
)
def test_title_is_unchanged_but_for_its_white_space(html: str, title: str) -> None:
    assert cover(title=html)["title"] == title


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("Code&#1;\x02 Red\x9f ", "Code Red"),
        ("Code Red&#x85;", "Code Red…"),  # read as windows-1252, as browsers do
        ("\x01 Code \x7f Red", "Code Red"),
        ("Code\u202e Red\u202c \u2066now\u2069", "Code Red now"),
        ("\u200fCode Red\u200e", "\u200fCode Red\u200e"),  # marks, which override nothing
        ("x" * 1000, "x" * 1000),
    ],
)
def test_title_loses_its_control_characters_and_bidi_overrides_and_nothing_else(html: str, title: str) -> None:
    assert cover(title=html)["title"] == title


def test_cover_page_that_shows_the_day_of_its_link_gives_the_record() -> None:
    response = page(PAGE, "http://content.time.com/time/covers/0,16641,20110207,00.html")
    response.meta["day"] = date(2011, 2, 7)
    assert [item["pubDate"] for item in CoverSpider().parse_covers(response)] == ["2011-02-07"]


def test_cover_page_that_shows_another_day_than_its_link_raises_a_value_error() -> None:
    response = page(PAGE, "http://content.time.com/time/covers/0,16641,20110207,00.html")
    response.meta["day"] = date(2011, 2, 14)
    with pytest.raises(ValueError, match="2011-02-07, and its link says 2011-02-14"):
        list(CoverSpider().parse_covers(response))


@pytest.mark.parametrize(
    ("link", "day"),
    [
        ("/time/covers/0,16641,20140310,00.html", date(2014, 3, 10)),
        ("/time/covers/0,16641,20141332,00.html", None),
        ("/time/covers/latest.html", None),
    ],
)
def test_listing_hands_on_the_day_of_each_link(link: str, day: date | None) -> None:
    [request] = CoverSpider().parse_page(page(f"<a href='{link}'>Large Cover</a>"))
    assert request.meta["day"] == day


@pytest.mark.parametrize(
    ("day", "year", "published"),
    [
        ("June 4, ", "1923", "1923-06-04"),
        ("July 2, ", "1923", "1923-07-02"),
        ("Sept. 4, ", "1939", "1939-09-04"),
        ("Mar. 04, ", "2013", "2013-03-04"),
        ("\n September 04,", " 1939 ", "1939-09-04"),
    ],
)
def test_every_spelling_of_a_date_is_read(day: str, year: str, published: str) -> None:
    assert cover(day=day, year=year)["pubDate"] == published


@pytest.mark.parametrize(
    "src", ["/time/a.jpg", "//content.time.com/time/a.jpg", " http://content.time.com/time/a.jpg\n"]
)
def test_image_url_is_absolute(src: str) -> None:
    assert cover(src=src)["file_urls"] == ["http://content.time.com/time/a.jpg"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"title": " \r\n "}, "no title"),
        ({"src": ""}, "no (image|picture)"),
        ({"day": "Marsh 10, "}, "not a date: 'Marsh 10, 2014'"),
        ({"year": ""}, "not a date"),
        ({"day": "", "year": ""}, "not a date"),
        ({"body": "<p>Gone</p>"}, "no title"),
        ({"title": "\x01&#2; \x7f"}, "no title"),
        ({"title": "x" * 1001}, "the title has 1,001 characters, more than 1,000"),
        ({"title": "x" * 200_000}, "200,000"),
        ({"src": "/a" * 501}, "the image has 1,002 characters"),
    ],
)
def test_cover_page_without_title_date_or_image_raises_a_value_error(changes: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        cover(**changes)


PAGE = cover_page(date(2011, 2, 7))


@st.composite
def mutilated(draw: st.DrawFn) -> str:
    """A cover page of which parts are missing, doubled or replaced."""
    html = PAGE
    for _ in range(draw(st.integers(1, 4))):
        start, length = draw(st.integers(0, len(html))), draw(st.integers(0, 60))
        middle = draw(st.one_of(st.just(""), st.just(html[start : start + length] * 2), st.text(max_size=20)))
        html = html[:start] + middle + html[start + length :]
    return html


@given(mutilated())
def test_mutilated_page_gives_a_true_record_or_a_value_error(html: str) -> None:
    response = page(html, "http://content.time.com/time/covers/0,16641,20110207,00.html")
    try:
        [item] = CoverSpider().parse_covers(response)
    except ValueError:
        return
    assert isinstance(item["title"], str)
    assert item["title"] == item["title"].strip() != ""
    shown = date.fromisoformat(item["pubDate"])
    assert f"{shown.year:04}" in html
    assert str(shown.day) in html
    [url] = item["file_urls"]
    assert isinstance(url, str)
