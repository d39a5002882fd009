"""How the archive can misbehave, on purpose and repeatably.

A JSON file says how::

    {"seed": 7, "rules": [
        {"fault": "status", "url": "/covers/2014/", "status": 503, "retry_after": 2, "times": 2},
        {"fault": "cut", "url": "img[.]timeinc[.]net", "share": 0.1}
    ]}

The first rule that meets a request decides. ``url`` is a regular expression, searched for in the address; without it,
all are met. ``times`` is how often the rule spoils each address, without it always. ``share`` is the part of the
requests that it spoils, chosen by ``seed``, the address and how often that has been asked for, so that the same
requests get the same answers in whatever order they come. The rest belongs to single faults, see Rule.
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
    """A PNG of 50 KB that takes 400 million pixels of memory when it is decoded."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", _BOMB_SIDE, _BOMB_SIDE, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((1 + _BOMB_SIDE // 8) * _BOMB_SIDE), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _replacing(pattern: str, text: str) -> Callable[[str], str]:
    compiled = re.compile(pattern, re.DOTALL)
    return lambda page: compiled.sub(text, page, count=1)


# Another page in place of the good one.
_PAGES: dict[str, Callable[[str], str]] = {
    "no_title": _replacing("<h1>.*?<time>", "<h1><time>"),
    "no_date": _replacing("<time>.*?</time>", ""),
    "no_picture": _replacing("<img[^>]*>", ""),
    "wrong_title": _replacing("<h1>", "<h1>Nothing is missing\n\x1b[2J"),
    "wrong_date": _replacing("<time>", "<time>Smarch "),
    "wrong_picture": _replacing('<img src="[^"]*"', '<img src="file:///etc/passwd"'),
    "malformed": lambda page: re.sub("</(?!title)[^>]*>|<html>|<body>", "", page),
    "again": _replacing("<ul>(.*?)</ul>", r"<ul>\1\1</ul>"),
    "back": _replacing('<div class="pages">.*?</div>', _NEXT),
}
# Another body in place of the good one, under its type and with a length that agrees.
_BODIES: dict[str, Callable[[bytes], bytes]] = {
    "html": lambda body: _HTML.encode(),
    "truncate": lambda body: body[: len(body) // 2],
    "empty": lambda body: b"",
    "bomb": lambda body: _bomb(),
    "charset": lambda body: body,  # its type is another one
}
# The length that is said of the good body, the part of it that is sent, and whether the connection ends then.
_LENGTHS: dict[str, Callable[[int], tuple[int, int, bool]]] = {
    "cut": lambda size: (size, size // 2, True),
    "long": lambda size: (size + 1000, size, True),
    "short": lambda size: (size // 2, size, False),
    "drip": lambda size: (size, size, False),
}
FAULTS = ("status", "redirect", "hang", *_LENGTHS, *_BODIES, *_PAGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is done to which requests. The module says what ``url``, ``times`` and ``share`` mean.

    Raises ValueError, with the cause, where a value makes no sense.
    """

    fault: str  # one of FAULTS
    url: str = ""
    times: int | None = None
    share: int | float = 1.0
    status: int = 503  # of the fault "status"
    retry_after: int | str = ""  # the header that goes with it: seconds, or a date
    to: str = ""  # where the fault "redirect" leads; without it, to where it came from
    seconds: int | float = 5.0  # that the fault "drip" takes

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, field.type):  # type: ignore[arg-type]
                raise ValueError(f"{field.name} cannot be {value!r}")  # noqa: TRY004 (it may come from a file)
        if self.fault not in FAULTS:
            raise ValueError(f"there is no fault {self.fault!r}, only {', '.join(FAULTS)}")
        if not 0 <= self.share <= 1 or (self.times or 0) < 0 or self.seconds < 0 or not 200 <= self.status <= 599:
            raise ValueError("share is 0 to 1, times and seconds are 0 or more, status is 200 to 599")
        try:
            re.compile(self.url)
        except re.error as error:
            raise ValueError(f"url is no regular expression: {error}") from error


class Faults:
    """An archive's rules, and how often each address has met them."""

    def __init__(self, rules: Iterable[Rule], seed: int = 0) -> None:
        self._rules, self._seed = list(rules), seed
        self._asked: Counter[str] = Counter()
        self._spoilt: Counter[tuple[int, str]] = Counter()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file. Raises ValueError, in one line with the file and the cause, where it is no such file."""
        try:
            return cls(**_read(json.loads(path.read_bytes())))
        except OSError as error:
            raise ValueError(f"{path}: {error.strerror}") from error
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: {error}") from error

    @property
    def count(self) -> int:
        """How many requests have been spoilt."""
        return self._spoilt.total()

    async def answer(self, request: web.Request, good: Handler) -> web.StreamResponse:
        """What the archive answers, spoilt where a rule meets the request."""
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
        return await _spoilt(request, await good(request), rule)

    def _chosen(self, url: str) -> Rule | None:
        self._asked[url] += 1
        for number, rule in enumerate(self._rules):
            if not re.search(rule.url, url) or self._spoilt[number, url] == rule.times:
                continue
            if random.Random(f"{self._seed} {number} {self._asked[url]} {url}").random() < rule.share:
                self._spoilt[number, url] += 1
                return rule
        return None


def _read(content: Any) -> dict[str, Any]:
    match content:
        case {"rules": [*rules], "seed": int() as seed} if len(content) == 2:
            return {"rules": [_rule(*rule) for rule in enumerate(rules, 1)], "seed": seed}
        case {"rules": [*_]} if len(content) == 1:
            return _read({**content, "seed": 0})
    raise ValueError('it must be an object with a list of "rules", and perhaps a "seed"')


def _rule(number: int, values: Any) -> Rule:
    try:
        return Rule(**values)
    except (ValueError, TypeError) as error:
        raise ValueError(f"rule {number}: {str(error).removeprefix('Rule.__init__() ')}") from error


async def _spoilt(request: web.Request, good: web.StreamResponse, rule: Rule) -> web.StreamResponse:
    if not isinstance(good, web.Response) or not isinstance(good.body, bytes) or good.status != 200:
        return good  # there is nothing in it to spoil
    kind, body = good.content_type, good.body
    if rule.fault in _LENGTHS:
        return await _lying(request, kind, body, rule)
    if rule.fault in _PAGES:
        body = _PAGES[rule.fault](body.decode(errors="replace")).encode()
    else:
        body = _BODIES[rule.fault](body)
    charset = {"charset": "iso-8859-1"}.get(rule.fault, "utf-8") if kind == "text/html" else None
    return web.Response(body=body, content_type=kind, charset=charset)


async def _lying(request: web.Request, kind: str, body: bytes, rule: Rule) -> web.StreamResponse:
    """Send a good body in a way that does not agree with its length, or with anybody's patience."""
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
        request.transport.write(body[length:])  # beyond the length that was said; aiohttp itself holds it back
        if ends:
            request.transport.close()
    return response
