"""Compute the delay before a retry."""

import random
from email.utils import parsedate_to_datetime
from time import time

LONGEST = 60.0  # seconds; the limit of a delay before its random factor, and of Retry-After


def retry_delay(retries: int, backoff: float, at_least: float = 0.0) -> float:
    """Return the seconds to wait before retry number *retries*; the first retry is 1.

    The delay starts at *backoff* seconds and doubles with each retry, up to LONGEST. A random factor of 0.5 to 1.5
    spreads requests that failed at the same time. *at_least* is the delay from the server's Retry-After header.

    >>> 0.25 <= retry_delay(1, 0.5) <= 0.75, 1 <= retry_delay(3, 0.5) <= 3, retry_delay(1, 0.5, 7.0)
    (True, True, 7.0)
    """
    wait: float = min(backoff * 2.0 ** (retries - 1), LONGEST) * random.uniform(0.5, 1.5)  # noqa: S311
    return max(at_least, wait)


def retry_after(value: str | None) -> float:
    """Return the seconds in a Retry-After header (RFC 9110, 10.2.3), at most LONGEST; 0 if it is missing or invalid.

    >>> retry_after("120"), retry_after("soon"), retry_after(None), retry_after("Fri, 31 Dec 1999 23:59:59 GMT")
    (60.0, 0.0, 0.0, 0.0)
    """
    try:
        seconds = float(value or 0) if (value or "0").strip().isdecimal() else _until(value or "")
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST)


def _until(date: str) -> float:
    return parsedate_to_datetime(date).timestamp() - time()
