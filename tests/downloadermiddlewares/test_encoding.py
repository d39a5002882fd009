"""Pages in UTF-8 are read as such, whatever their header says."""

import pytest
from aiohttp import web
from downloading import download
from scrapy.http import HtmlResponse, Request, Response
from serving import serving

from timecoverspider.downloadermiddlewares.encoding import EncodingMiddleware

URL = "http://content.time.com/a"


@pytest.mark.parametrize(
    ("text", "encoding", "declared"),
    [
        ("♥ en España", "utf-8", "latin-1"),
        ("♥ en España", "utf-8", "utf-8"),
        ("España", "latin-1", "latin-1"),
        ("España", "cp1252", "cp1252"),
        ("Espana", "ascii", "latin-1"),
    ],
)
def test_text_is_decoded_as_utf_8_if_it_is_valid_utf_8(text: str, encoding: str, declared: str) -> None:
    headers = {"Content-Type": f"text/html; charset={declared}"}
    response = HtmlResponse(URL, headers=headers, body=f"<p>{text}</p>".encode(encoding))
    result = EncodingMiddleware().process_response(Request(URL), response)
    assert isinstance(result, HtmlResponse)
    assert result.css("p::text").get() == text


def test_image_is_unchanged() -> None:
    response = Response(URL, body="♥".encode())
    assert EncodingMiddleware().process_response(Request(URL), response) is response


def test_downloaded_page_is_decoded_as_utf_8_whatever_its_header_says() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body="<p>♥ en España".encode(), content_type="text/html", charset="latin-1")

    app = web.Application()
    app.router.add_get("/", answer)
    with serving(app) as address:
        assert download(address).text == "<p>♥ en España"


_ONLY_PYTHONS = ["punycode", "idna", "unicode_escape", "rot13", "hex", "bz2", "undefined", "utf-32", "cp037"]
_NOBODYS = ["mbcs", "../x", "x" * 5000, "\x00", "", "big5-hkscs\x1b"]


@pytest.mark.parametrize(
    ("form", "charset"),
    [*(("meta", name) for name in _ONLY_PYTHONS), *(("header", name) for name in _ONLY_PYTHONS + _NOBODYS)],
)
def test_encoding_that_browsers_do_not_know_is_that_of_windows(form: str, charset: str) -> None:
    body = f"<meta charset='{charset}'><p>España" if form == "meta" else "<p>España"
    headers = {"Content-Type": f"text/html; charset={charset}" if form == "header" else "text/html"}
    response = HtmlResponse(URL, headers=headers, body=body.encode("latin-1"))
    result = EncodingMiddleware().process_response(Request(URL), response)
    assert isinstance(result, HtmlResponse)
    assert result.css("p::text").get() == "España"


@pytest.mark.parametrize(
    ("charset", "text"), [("shift_jis", "タイム"), ("koi8-r", "Тайм"), ("gb18030", "时代"), ("utf-16", "♥")]
)
def test_encoding_that_browsers_know_is_believed(charset: str, text: str) -> None:
    headers = {"Content-Type": f"text/html; charset={charset}"}
    response = HtmlResponse(URL, headers=headers, body=f"<p>{text}</p>".encode(charset))
    result = EncodingMiddleware().process_response(Request(URL), response)
    assert isinstance(result, HtmlResponse)
    assert result.css("p::text").get() == text


@pytest.mark.parametrize("declared", ["", "<meta charset='mbcs'>", "<meta charset=''>", "<meta charset='../x'>"])
def test_page_that_declares_no_encoding_that_exists_is_that_of_windows(declared: str) -> None:
    for text in ("café", "Señor, qué pasó en España"):
        body = f"{declared}<p>{text}</p>".encode("latin-1")
        response = HtmlResponse(URL, headers={"Content-Type": "text/html"}, body=body)
        result = EncodingMiddleware().process_response(Request(URL), response)
        assert isinstance(result, HtmlResponse)
        assert result.css("p::text").get() == text
