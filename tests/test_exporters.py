"""XML feeds that every parser reads."""

from io import BytesIO
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timecoverspider.exporters import ValidXmlItemExporter


def exported(item: dict[str, Any]) -> ElementTree.Element:
    """Return the element of an item in an XML feed."""
    file = BytesIO()
    exporter = ValidXmlItemExporter(file)
    exporter.start_exporting()
    exporter.export_item(item)
    exporter.finish_exporting()
    [element] = ElementTree.fromstring(file.getvalue())
    return element


@pytest.mark.parametrize("char", ["\0", "\x01", "\x0b", "\x1f", "\ufffe", "\uffff"])
def test_character_that_xml_forbids_is_left_out(char: str) -> None:
    element = exported({"title": f"Code{char} Red", "files": [{"url": f"http://a/{char}b"}]})
    assert element.findtext("title") == "Code Red"
    assert element.findtext("files/value/url") == "http://a/b"


@pytest.mark.parametrize(
    "title", ["a\tb\nc", '<b> & "c" \']]>', "\x7f\x85\u2028", "\ud7ff\ue000\ufffd", "♥ \U0001f600"]
)
def test_text_that_xml_allows_is_unchanged(title: str) -> None:
    assert exported({"title": title}).findtext("title") == title


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_feed_of_any_text_can_be_parsed(title: str) -> None:
    assert exported({"title": title}).tag == "item"
