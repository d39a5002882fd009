"""Which URLs name the same page."""

from w3lib.url import url_query_cleaner


def without_session(url: str) -> str:
    """The address without the session that the archive put into some of its links, and without a fragment.

    >>> without_session("http://search.time.com/results.html?N=46&sid=150424A4D8E2&internalid=endeca_dimension#top")
    'http://search.time.com/results.html?N=46'
    """
    url, _, _ = url.partition("#")
    return url_query_cleaner(url, ("sid", "internalid"), remove=True) if "sid=" in url else url
