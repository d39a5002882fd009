"""Make text from servers safe and short enough for a log line."""


def one_line(text: str) -> str:
    r"""Return the text with each nonprintable character escaped, so that it cannot break a line or control a terminal.

    >>> print(one_line("Mar.\n10 \x1b[2J"))
    Mar.\n10 \x1b[2J
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def brief(what: BaseException | str | None) -> str:
    """Return an error's message, or its class name if the message is empty, cut to 200 characters."""
    text = str(what) or type(what).__name__
    return text if len(text) <= 200 else f"{text[:200]}…"


def without_password(url: str) -> str:
    """Return a URL without user name and password.

    A password may contain ``/``, ``?`` or ``#`` that should have been escaped.

    >>> without_password("ftp://me:p@ss/w?rd@example.com/covers.json"), without_password("ftp://me:a/b@example.com/")
    ('ftp://example.com/covers.json', 'ftp://example.com/')
    >>> without_password("s3://bucket/a@b.json"), without_password("a@b.json")
    ('s3://bucket/a@b.json', 'a@b.json')
    """
    scheme, separator, rest = url.partition("://")
    host, _, port = rest.partition("/")[0].partition(":")
    if separator and ("@" in host or not (port.isdecimal() or not port)):
        rest = rest.rpartition("@")[2]
    return f"{scheme}{separator}{rest}"
