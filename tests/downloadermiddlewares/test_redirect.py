"""Redirects are followed, also to the same page, but not for ever."""

import pytest
from components import make_crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request, Response

from timecoverspider.downloadermiddlewares.redirect import PersistentRedirectMiddleware

URL = "http://content.time.com/a"


def redirect(request: Request, location: str, status: int = 302) -> Request:
    """Return the request that a redirect leads to."""
    with make_crawler() as crawler:
        middleware = PersistentRedirectMiddleware.from_crawler(crawler)
        result = middleware.process_response(request, Response(request.url, status, {"Location": location}))
    assert isinstance(result, Request)
    return result


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_followed(status: int) -> None:
    request = redirect(Request(URL), "/b", status)
    assert request.url == "http://content.time.com/b"
    assert request.meta["redirect_urls"] == [URL]


def test_redirect_to_the_same_page_is_no_duplicate() -> None:
    request = redirect(Request(URL), URL)
    assert request.url == URL
    assert request.dont_filter


def test_redirects_in_a_circle_end_after_five() -> None:
    request = Request(URL)
    for _ in range(5):
        request = redirect(request, URL)
    with pytest.raises(IgnoreRequest):
        redirect(request, URL)


def test_response_that_is_no_redirect_is_unchanged() -> None:
    response = Response(URL, 200, {"Location": "/b"})
    with make_crawler() as crawler:
        middleware = PersistentRedirectMiddleware.from_crawler(crawler)
        assert middleware.process_response(Request(URL), response) is response
