"""Check settings once, when a command starts."""

import logging
import math
import numbers
import re
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from scrapy.settings import BaseSettings, default_settings

from timecoverspider import settings as project_settings
from timecoverspider.text import without_password

# Minimum values. Other numbers have the minimum 0, priorities have none. With 0 connections, a crawl never ends.
_LEAST = {
    "CONCURRENT_ITEMS": 1,
    "CONCURRENT_REQUESTS": 1,
    "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
    "DOWNLOAD_TIMEOUT": 0.001,
    "PAGE_MAXSIZE": 1,
    "REACTOR_THREADPOOL_MAXSIZE": 1,
    "SCRAPER_SLOT_MAX_ACTIVE_SIZE": 1,
}
_MOST = {"AUDIT_EVERY_DAYS": 36500, "UNREADABLE_LIMIT": 1, "DOWNLOAD_DELAY": 86400}
_LEVELS = logging.getLevelNamesMapping()


def check_settings(settings: BaseSettings) -> None:
    """Check every setting whose default is a Boolean or a number, the log and the proxies.

    Raises: ValueError if one of them has another type, or a value that a crawl cannot use.
    """
    for name, default in _defaults().items():
        if settings[name] is not None:
            _check(settings, name, default)
    if settings["CONCURRENT_REQUESTS_PER_IP"] is not None:  # not one of Scrapy's defaults any more
        _check(settings, "CONCURRENT_REQUESTS_PER_IP", 0)
    _check_slots(settings)
    level = settings["LOG_LEVEL"]
    if level not in _LEVELS and not isinstance(level, int):
        raise ValueError(f"LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL, not {level!r}")
    if settings["LOG_FILE"]:
        try:
            with open(settings["LOG_FILE"], "a"):  # noqa: PTH123 (a file descriptor is allowed too)
                pass
        except OSError as error:
            raise ValueError(f"cannot write the log file {settings['LOG_FILE']}: {error.strerror}") from error
    for scheme in ("http", "https"):
        if scheme in getproxies():
            _check_proxy(f"{scheme}_proxy", getproxies()[scheme])


def _defaults() -> dict[str, Any]:
    """Return the settings whose default is a Boolean or a number. One of them can be None: FEED_EXPORT_INDENT."""
    modules = (default_settings, project_settings)
    values = {name: getattr(module, name) for module in modules for name in dir(module) if name.isupper()}
    return {name: value for name, value in values.items() if isinstance(value, numbers.Real)}


def _check(settings: BaseSettings, name: str, default: float) -> None:
    if isinstance(default, bool):
        try:
            settings.getbool(name)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} must be True or False, not {settings[name]!r}") from error
        return
    has_fractions = isinstance(default, float) or name in ("AUDIT_EVERY_DAYS", "DOWNLOAD_TIMEOUT", "DOWNLOAD_DELAY")
    least = _LEAST.get(name, -math.inf if "PRIORITY" in name else 0)
    most = _MOST.get(name, math.inf)
    try:
        value = settings.getfloat(name) if has_fractions else settings.getint(name)
        is_valid = math.isfinite(value) and least <= value <= most
    except (OverflowError, TypeError, ValueError):
        is_valid = False
    if not is_valid:
        kind = "a number" if has_fractions else "an integer"
        limits = f", {least:g} or more" if least > -math.inf else ""
        limits += f" and at most {most:g}" if most < math.inf else ""
        raise ValueError(f"{name} must be {kind}{limits}, not {settings[name]!r}")


def _check_slots(settings: BaseSettings) -> None:
    try:
        for slot in settings.getdict("DOWNLOAD_SLOTS").values():
            assert float(slot.get("concurrency", 1)) >= 1  # noqa: S101
            assert 0 <= float(slot.get("delay", 0)) <= 86400  # noqa: S101
        [int(code) for code in settings.getlist("RETRY_HTTP_CODES")]
    except (AssertionError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            "DOWNLOAD_SLOTS must have a concurrency of 1 or more and a delay of 0 to 86400 for each slot, and "
            "RETRY_HTTP_CODES integers"
        ) from error


def _check_proxy(name: str, url: str) -> None:
    if re.match(r"\w+:/(?!/)", url):  # urllib would not take it for a proxy, and requests would go out directly
        raise ValueError(f"the proxy in {name} must be http://host:port or http://user:password@host:port")
    _, has_scheme, rest = url.partition("://")
    safe = without_password(url if has_scheme else f"http://{url}")
    if "/" in (rest or url).rpartition("@")[0].partition(":")[0]:  # as in "//user:password@host": not a user name
        safe = safe.rpartition("@")[2]
    try:
        parts = urlsplit(safe)
        host = parts.hostname or ""
        host.encode("idna")
        is_valid = parts.scheme in ("http", "https") and bool(host.strip(".")) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ValueError(f"the proxy in {name} must be http://host:port or http://user:password@host:port, not {safe}")
