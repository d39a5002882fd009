"""Let the replica send wrong responses, the same in each run.

A JSON file defines the faults::

    {"seed": 7, "rules": [
        {"fault": "status", "url": "/covers/2014/", "status": 503, "retry_after": 2, "times": 2},
        {"fault": "cut", "url": "img[.]timeinc[.]net", "share": 0.1}
    ]}

For each request, the first rule that applies is used. A rule applies if the regular expression ``url`` is found in the
URL; without ``url``, the rule applies to all requests. ``times`` is how often a rule is used for each URL, by default
always. ``share`` is the share of requests that get the fault, chosen by ``seed``, the URL and the number of earlier
requests for this URL, so that the order of other requests has no effect. See Rule for the other keys.
"""

import asyncio
import json
import random
import re
import struct
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, fields
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from timecoverspider.replica.pages import listing_url

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HTML = "<!DOCTYPE html><title>Sorry</title><p>We will be back soon.</p>"
_NEXT = f'<div class="pages"><a href="{escape(listing_url())}">Next</a></div>'
_BOMB_SIDE = 20_000  # pixels


@cache
def _bomb() -> bytes:
    """Return a PNG file of 50 KB with 400 million pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", _BOMB_SIDE, _BOMB_SIDE, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((1 + _BOMB_SIDE // 8) * _BOMB_SIDE), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _replacing(pattern: str, text: str) -> Callable[[str], str]:
    compiled = re.compile(pattern, re.DOTALL)
    return lambda page: compiled.sub(text, page, count=1)


# Faults that change the HTML of a page.
_PAGES: dict[str, Callable[[str], str]] = {
    "no_title": _replacing("<h1>.*?<time>", "<h1><time>"),
    "no_date": _replacing("<time>.*?</time>", ""),
    "no_image": _replacing("<img[^>]*>", ""),
    "wrong_title": _replacing("<h1>", "<h1>Nothing is missing\n\x1b[2J"),
    "wrong_date": _replacing("<time>", "<time>Smarch "),
    "wrong_image": _replacing('<img src="[^"]*"', '<img src="file:///etc/passwd"'),
    "malformed": lambda page: re.sub("</(?!title)[^>]*>|<html>|<body>", "", page),
    "again": _replacing("<ul>(.*?)</ul>", r"<ul>\1\1</ul>"),
    "back": _replacing('<div class="pages">.*?</div>', _NEXT),
}
# Faults that replace the body; type and length of the response are consistent.
_BODIES: dict[str, Callable[[bytes], bytes]] = {
    "html": lambda body: _HTML.encode(),
    "truncate": lambda body: body[: len(body) // 2],
    "empty": lambda body: b"",
    "bomb": lambda body: _bomb(),
    "charset": lambda body: body,  # only the charset in the Content-Type is wrong
}
# Faults of the transfer: the body's size gives Content-Length, the bytes to send, and whether to close the connection.
_LENGTHS: dict[str, Callable[[int], tuple[int, int, bool]]] = {
    "cut": lambda size: (size, size // 2, True),
    "long": lambda size: (size + 1000, size, True),
    "short": lambda size: (size // 2, size, False),
    "drip": lambda size: (size, size, False),
}
FAULTS = ("status", "redirect", "hang", *_LENGTHS, *_BODIES, *_PAGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A fault, and the requests that get it. The module's docstring explains ``url``, ``times`` and ``share``.

    Raises: ValueError if a value is invalid.
    """

    fault: str  # one of FAULTS
    url: str = ""
    times: int | None = None
    share: int | float = 1.0
    status: int = 503  # for the fault "status"
    retry_after: int | str = ""  # for the fault "status", the header Retry-After: seconds, or a date
    to: str = ""  # for the fault "redirect", the target; by default the requested URL itself
    seconds: int | float = 5.0  # for the fault "drip", the duration of the transfer

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, field.type):  # type: ignore[arg-type]
                raise ValueError(f"{field.name} cannot be {value!r}")  # noqa: TRY004 (the value may come from a file)
        if self.fault not in FAULTS:
            raise ValueError(f"unknown fault {self.fault!r}; the faults are {', '.join(FAULTS)}")
        if not 0 <= self.share <= 1 or (self.times or 0) < 0 or self.seconds < 0 or not 200 <= self.status <= 599:
            raise ValueError("share must be 0 to 1, times and seconds 0 or more, status 200 to 599")
        try:
            re.compile(self.url)
        except re.error as error:
            raise ValueError(f"url is not a regular expression: {error}") from error


class Faults:
    """Applies rules to requests, and counts the requests for each URL."""

    def __init__(self, rules: Iterable[Rule], seed: int = 0) -> None:
        self._rules, self._seed = list(rules), seed
        self._requests: Counter[str] = Counter()
        self._applied: Counter[tuple[int, str]] = Counter()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read rules from a JSON file.

        Raises: ValueError, with the file and the cause in one line, if the file is missing or invalid.
        """
        try:
            return cls(**_read(json.loads(path.read_bytes())))
        except OSError as error:
            raise ValueError(f"{path}: {error.strerror}") from error
        except (RecursionError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from error

    @property
    def count(self) -> int:
        """The number of requests that got a fault."""
        return self._applied.total()

    async def answer(self, request: web.Request, good: Handler) -> web.StreamResponse:
        """Return the response of the archive, with a fault if a rule applies to the request."""
        rule = self._chosen(str(request.url))
        if rule is None:
            return await good(request)
        match rule.fault:
            case "status":
                headers = {"Retry-After": str(rule.retry_after)} if rule.retry_after != "" else {}
                return web.Response(status=rule.status, headers=headers)
            case "redirect":
                return web.Response(status=302, headers={"Location": rule.to or str(request.url)})
            case "hang":
                await asyncio.Event().wait()
        return await _change(request, await good(request), rule)

    def _chosen(self, url: str) -> Rule | None:
        self._requests[url] += 1
        for number, rule in enumerate(self._rules):
            if not re.search(rule.url, url) or self._applied[number, url] == rule.times:
                continue
            if random.Random(f"{self._seed} {number} {self._requests[url]} {url}").random() < rule.share:
                self._applied[number, url] += 1
                return rule
        return None


def _read(content: Any) -> dict[str, Any]:
    match content:
        case {"rules": [*rules], "seed": int() as seed} if len(content) == 2:
            return {"rules": [_rule(*rule) for rule in enumerate(rules, 1)], "seed": seed}
        case {"rules": [*_]} if len(content) == 1:
            return _read({**content, "seed": 0})
    raise ValueError('the file must contain an object with a list "rules" and optionally an integer "seed"')


def _rule(number: int, values: Any) -> Rule:
    try:
        return Rule(**values)
    except (ValueError, TypeError) as error:
        raise ValueError(f"rule {number}: {str(error).removeprefix('Rule.__init__() ')}") from error


async def _change(request: web.Request, good: web.StreamResponse, rule: Rule) -> web.StreamResponse:
    if not isinstance(good, web.Response) or not isinstance(good.body, bytes) or good.status != 200:
        return good  # no body that could be changed
    kind, body = good.content_type, good.body
    if rule.fault in _LENGTHS:
        return await _send_badly(request, kind, body, rule)
    if rule.fault in _PAGES:
        body = _PAGES[rule.fault](body.decode(errors="replace")).encode()
    else:
        body = _BODIES[rule.fault](body)
    charset = {"charset": "iso-8859-1"}.get(rule.fault, "utf-8") if kind == "text/html" else None
    return web.Response(body=body, content_type=kind, charset=charset)


async def _send_badly(request: web.Request, kind: str, body: bytes, rule: Rule) -> web.StreamResponse:
    """Send a correct body with a wrong Content-Length, incompletely, or slowly."""
    length, sent, ends = _LENGTHS[rule.fault](len(body))
    response = web.StreamResponse(headers={"Content-Type": kind})
    response.content_length = length
    await response.prepare(request)
    pieces = 10 if rule.fault == "drip" else 1
    step = -(-sent // pieces) or 1
    for start in range(0, sent, step):
        await response.write(body[start : min(start + step, sent)])
        if rule.fault == "drip":
            await asyncio.sleep(rule.seconds / pieces)
    if request.transport is not None:
        request.transport.write(body[length:])  # the bytes after Content-Length, which aiohttp does not send
        if ends:
            request.transport.close()
    return response
