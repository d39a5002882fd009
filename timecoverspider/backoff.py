"""How long to wait before a request is sent again."""

from email.utils import parsedate_to_datetime
from time import time

LONGEST = 60.0  # seconds; what a Retry-After may ask for at the most


def retry_after(value: str | None) -> float:
    """The seconds from now that a Retry-After header asks for (RFC 9110, 10.2.3), at most 60; 0 where it says nothing.

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
