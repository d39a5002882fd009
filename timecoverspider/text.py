"""Texts from outside, fit for a log."""


def one_line(text: str) -> str:
    r"""The text with all that could end a line or steer a terminal as an escape.

    >>> print(one_line("Mar.\n10 \x1b[2J"))
    Mar.\n10 \x1b[2J
    """
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def brief(what: BaseException | str | None) -> str:
    """What an error says, or its name where it says nothing, in 200 signs: it may quote what a server sent."""
    text = str(what) or type(what).__name__
    return text if len(text) <= 200 else f"{text[:200]}…"
