"""Pages in UTF-8 are read as such, whatever their header says."""

import pytest
from aiohttp import web
from downloading import download
from mock_archive import serving
from scrapy.http import HtmlResponse, Request, Response

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
