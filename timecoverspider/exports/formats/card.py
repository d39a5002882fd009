"""Write the data set card, a README.md that the Hugging Face Hub reads."""

import json

from timecoverspider.exports.formats.about import DRAWN, About
from timecoverspider.text import one_line


def render(about: About) -> str:
    """Return the card."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 (50 ms, and --help does not need it)

    environment = Environment(  # noqa: S701 (the card is no HTML; code() makes texts of the site harmless)
        loader=PackageLoader("timecoverspider.exports.formats"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"code": code, "yaml": json.dumps, "commas": "{:,}".format}
    return environment.get_template("card.md").render(about=about, drawn=DRAWN, size=_size_category(about.images))


def code(text: str) -> str:
    r"""Return a text of a site as Markdown code on one line, in which nothing is markup.

    >>> print(code("<b>`x`\n"))
    `<b>'x'\n`
    """
    return f"`{one_line(text).replace('`', chr(39)) or ' '}`"


def _size_category(images: int) -> str:
    """Return the Hub's name for a number of rows.

    >>> _size_category(999), _size_category(4763), _size_category(476300)
    ('n<1K', '1K<n<10K', '100K<n<1M')
    """
    limits = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M"}
    return next((name for limit, name in limits.items() if images < limit), "1M<n<10M")
