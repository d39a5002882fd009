"""A request is stored as it was, or not at all."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from scrapy import Spider
from scrapy.http import FormRequest, Request
from scrapy.spiders import CrawlSpider

from timecoverspider.utils.stored_request import from_text, to_text

URL = "http://example.com/é?a=1"


class Shop(CrawlSpider):
    name = "shop"

    def read(self, response: Any) -> None: ...

    def fail(self, failure: Any) -> None: ...


SPIDER = Shop()


def test_request_is_sent_again_as_it_was() -> None:
    request = Request(
        URL,
        SPIDER.read,
        headers={"Referer": "http://example.com/", "Accept": "text/html"},
        meta={"day": date(2014, 3, 10), "seen": [datetime(2014, 3, 10, tzinfo=UTC)], "item": {"title": "é", "n": 1.5}},
        cb_kwargs={"number": 3, "none": None},
        errback=SPIDER.fail,
        dont_filter=True,
    )
    again = from_text(to_text(request, SPIDER), SPIDER)
    assert again.to_dict(spider=SPIDER) == request.to_dict(spider=SPIDER)
    assert again.callback == SPIDER.read


def test_request_without_a_callback_or_of_a_rule_is_stored() -> None:
    for request in (Request(URL), Request(URL, SPIDER._callback, meta={"rule": 0}, errback=SPIDER._errback)):
        again = from_text(to_text(request, SPIDER), SPIDER)
        assert again.to_dict(spider=SPIDER) == request.to_dict(spider=SPIDER)


@pytest.mark.parametrize(
    "more",
    [
        {"meta": {"item": object()}}, {"meta": {"pair": (1, 2)}}, {"meta": {"by": {1: "a"}}},
        {"meta": {"x": float("nan")}}, {"meta": {"x": {"$date": "2014-03-10"}}}, {"meta": {"x": {"$date": "soon"}}},
        {"cb_kwargs": {"x": {1}}}, {"callback": lambda response: None}, {"callback": Spider.parse},
        {"errback": print}, {"method": "POST"}, {"body": "a=1"},
    ],
)  # fmt: skip
def test_request_that_would_be_another_one_is_not_stored(more: dict[str, Any]) -> None:
    assert to_text(Request(URL, **{"callback": SPIDER.read, **more}), SPIDER) == ""
    assert to_text(FormRequest(URL, SPIDER.read, formdata={"a": "1"}), SPIDER) == ""


@pytest.mark.parametrize(
    "more",
    [
        {"cookies": {"session": "s3cret"}}, {"headers": {"Authorization": "s3cret"}}, {"headers": {"X-Key": "s3cret"}},
        {"headers": {"cookie": "s3cret"}}, {"meta": {"proxy": "http://me:s3cret@a"}}, {"meta": {"http_pass": "s3cret"}},
    ],
)  # fmt: skip
def test_request_that_may_have_a_secret_is_not_stored(more: dict[str, Any]) -> None:
    assert to_text(Request(URL, SPIDER.read, **more), SPIDER) == ""


@pytest.mark.parametrize("change", [{"callback": "gone"}, {"url": "no url"}, {"surprise": 1}, {"meta": 1}])
def test_request_that_cannot_be_made_any_more_is_an_error(change: dict[str, Any]) -> None:
    values = json.loads(to_text(Request(URL, SPIDER.read), SPIDER))
    with pytest.raises(ValueError, match=r"."):
        from_text(json.dumps({**values, **change}), SPIDER)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_text_that_is_no_request_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_text(text, SPIDER)
