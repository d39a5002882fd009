"""Store the request of a page as JSON, so that a later crawl can send the request without the page that yielded it."""

import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from scrapy import Spider
from scrapy.http import Request

STORED = "stored_request"  # meta key: the request as JSON, from before the downloader middlewares changed it

_HEADERS = {b"Accept", b"Accept-Language", b"Referer", b"User-Agent", b"X-Requested-With"}  # others may be secrets
_SECRETS = {"http_pass", "http_user", "proxy"}  # meta keys
_DATE, _TIME = "$date", "$datetime"


def to_text(request: Request, spider: Spider | None) -> str:
    """Return a request as JSON, or an empty string if JSON cannot represent it, or if it may contain a secret.

    A request with a body, cookies, unusual headers, or a callback that is not a method of the spider is not stored.
    """
    if request.method != "GET" or request.body or request.cookies or request.headers.keys() - _HEADERS:
        return ""
    if _SECRETS & request.meta.keys():
        return ""
    try:
        values = {
            "url": request.url,
            "callback": _name(request.callback, spider),
            "errback": _name(request.errback, spider),
            "headers": {name.decode(): (request.headers[name] or b"").decode() for name in request.headers},
            "meta": {key: value for key, value in request.meta.items() if key != STORED},  # copied from another page
            "cb_kwargs": request.cb_kwargs,
            "dont_filter": request.dont_filter,
        }
        text = json.dumps(values, default=_tag, allow_nan=False, separators=(",", ":"))
        return text if json.loads(text, object_hook=_untag) == values else ""  # a tuple would become a list
    except (RecursionError, TypeError, ValueError):
        return ""


def from_text(text: str, spider: Spider | None) -> Request:
    """Return a request that ``to_text`` has stored.

    Raises: ValueError if there is none, or if the spider no longer has the callback.
    """
    values = json.loads(text, object_hook=_untag)
    try:
        for name in ("callback", "errback"):
            values[name] = values[name] and getattr(spider, values[name])
        return Request(**values)
    except (AttributeError, KeyError, TypeError) as error:  # a method has another name now
        raise ValueError(f"the request cannot be made: {error}") from error


def _name(method: Callable[..., Any] | None, spider: Spider | None) -> str | None:
    if method is None:
        return None
    name: str = getattr(method, "__name__", "")
    if getattr(spider, name, None) != method:
        raise ValueError(f"{method} is not a method of the spider")
    return name


def _tag(value: Any) -> dict[str, str]:
    if type(value) is date:
        return {_DATE: value.isoformat()}
    if type(value) is datetime:
        return {_TIME: value.isoformat()}
    raise TypeError(f"JSON cannot represent {value!r}")


def _untag(values: dict[str, Any]) -> Any:
    if values.keys() == {_DATE}:
        return date.fromisoformat(values[_DATE])
    if values.keys() == {_TIME}:
        return datetime.fromisoformat(values[_TIME])
    return values
