"""Tell errors that a page causes from bugs in a spider."""

import traceback

from scrapy.exceptions import NotSupported

from timecoverspider.text import brief

# NotSupported: the page is not text. LookupError: it has fewer elements or keys than the spider expects.
_ABOUT_PAGES = (AssertionError, LookupError, NotSupported, ValueError)


def is_about_page(error: Exception) -> bool:
    """Return whether a page causes an error: a value is wrong or missing. All other errors are bugs in the spider.

    A missing value is None, and Python raises AttributeError or TypeError if the spider uses None.

    >>> is_about_page(ValueError("not a date")), is_about_page(NameError("name 'x' is not defined"))
    (True, False)
    >>> is_about_page(TypeError("'NoneType' object is not subscriptable"))
    True
    """
    if isinstance(error, AttributeError):
        return error.obj is None
    if isinstance(error, TypeError):
        return "None" in str(error)
    return isinstance(error, _ABOUT_PAGES)


def describe(error: BaseException | None) -> str:
    """Return the class and the message of an error, and the last line of a spider that it passed.

    >>> describe(NameError("name 'x' is not defined"))
    "NameError: name 'x' is not defined"
    """
    assert error is not None  # noqa: S101 (of a Failure)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename]
    place = f" ({own[-1].filename.rpartition('/')[2]}, line {own[-1].lineno})" if own else ""
    text = brief(error)
    return f"{type(error).__name__}{'' if text == type(error).__name__ else f': {text}'}{place}"
