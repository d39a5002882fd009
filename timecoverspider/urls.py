"""Remove the parts of a URL that do not identify the page."""

from collections.abc import Sequence

from w3lib.url import url_query_cleaner


def without_parameters(url: str, ignored: Sequence[str]) -> str:
    """Return the URL without its fragment and without the query parameters *ignored*.

    >>> without_parameters("http://search.time.com/results.html?N=46&sid=150424A4D8E2#top", ["sid"])
    'http://search.time.com/results.html?N=46'
    >>> without_parameters("http://example.com/photo.php?id=1&id=2&sid=3", ["sid"])
    'http://example.com/photo.php?id=1&id=2'
    >>> without_parameters("http://example.com/photo.php?sid=1", [])
    'http://example.com/photo.php?sid=1'
    """
    url, _, _ = url.partition("#")
    if any(f"{name}=" in url for name in ignored):
        return url_query_cleaner(url, tuple(ignored), remove=True, unique=False)
    return url
