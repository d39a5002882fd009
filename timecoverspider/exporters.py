"""Item exporters."""

import codecs
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from typing import Any, Self

from itemadapter import ItemAdapter, is_item
from scrapy.crawler import Crawler
from scrapy.exporters import CsvItemExporter, XmlItemExporter
from scrapy.utils.serialize import ScrapyJSONEncoder

from timecoverspider.dataset.rows import image_column
from timecoverspider.text import brief, one_line

logger = logging.getLogger(__name__)

# What XML 1.0 forbids (section 2.2), also if it is escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_IMAGE = ("url", "path", "checksum")
# Spreadsheets run a text that begins like this as a formula, which can send other cells to a server. In Japanese, also
# with a full-width sign (U+FF0B to U+FF20). Numbers such as -5.00 or +49 30 123 are none: they have no letter.
_FORMULA = re.compile(r"[=@\t\r\n\uff1d\uff20]|[+\-\uff0b\uff0d](?![\d\s.,+\-()/%]*$)")
_SCALARS, _NESTED = (str, int, float, type(None)), (list, tuple, dict, set)
_ENCODER = ScrapyJSONEncoder(ensure_ascii=False)


class ValidXmlItemExporter(XmlItemExporter):
    """Scrapy's XML feeds, without the characters that XML forbids: Scrapy 2.19 writes them, and parsers fail."""

    def _export_xml_field(self, name: str, serialized_value: Any, depth: int) -> None:
        if isinstance(serialized_value, str):
            serialized_value = _FORBIDDEN.sub("", serialized_value)
        super()._export_xml_field(name, serialized_value, depth)


class SpreadsheetCsvItemExporter(CsvItemExporter):
    """Scrapy's CSV feeds for spreadsheets: one row an image, and no Python literals.

    The columns ``url``, ``path`` and ``checksum`` are in place of ``file_urls`` and ``files``; if an item field has the
    same name, the column is ``image_url``, ``image_path`` or ``image_checksum``. A record without an image has one row.
    If FEED_EXPORT_FIELDS names no column of the images, each record has one row. Other nested values are JSON; lists of
    texts are joined, as in Scrapy.

    If *spreadsheet* is true, a UTF-8 file begins with a byte order mark, without which Excel garbles umlauts, and each
    text that a spreadsheet would run as a formula gets an apostrophe before it; the log says how many.
    """

    def __init__(
        self,
        file: BytesIO,
        *,
        urls_field: str = "file_urls",
        files_field: str = "files",
        spreadsheet: bool = True,
        encoding: str | None = None,
        **options: Any,
    ) -> None:
        encoding = encoding or "utf-8"
        if spreadsheet and codecs.lookup(encoding).name == "utf-8":
            encoding = "utf-8-sig"
        super().__init__(file, encoding=encoding, **options)
        self._urls, self._files, self._spreadsheet = urls_field, files_field, spreadsheet
        self._columns: dict[str, str] = {}  # the column of each of _IMAGE
        self._is_row_an_image = True
        self._formulas, self._first_formula = 0, ""

    @classmethod
    def from_crawler(cls, crawler: Crawler, file: BytesIO, **options: Any) -> Self:
        names = {"urls_field": "FILES_URLS_FIELD", "files_field": "FILES_RESULT_FIELD"}
        fields = {option: crawler.settings[name] for option, name in names.items() if crawler.settings[name]}
        return cls(file, **{**fields, **options})

    def export_item(self, item: Any) -> None:
        adapter = ItemAdapter(item)
        names = dict.fromkeys([*adapter.field_names(), *adapter])
        if not self._columns:
            self._name_columns(names)
        others = (name for name in adapter if name not in (self._urls, self._files))
        values = {name: self.serialize_field(adapter.get_field_meta(name), name, adapter[name]) for name in others}
        for image in self._images(adapter):
            super().export_item(self._flat(names, values, image))

    def serialize_field(self, field: Mapping[str, Any], name: str, value: Any) -> Any:
        value = super().serialize_field(field, name, value)
        if isinstance(value, _SCALARS):  # is_item is slow
            return value
        return _ENCODER.encode(value) if isinstance(value, _NESTED) or is_item(value) else value

    def finish_exporting(self) -> None:
        super().finish_exporting()
        if self._formulas:
            logger.warning(
                "The CSV feed has texts that a spreadsheet would run as formulas: %d. Each has an apostrophe before it "
                "now. The first: %s",
                self._formulas,
                one_line(brief(self._first_formula)),
            )

    def _name_columns(self, names: Iterable[str]) -> None:
        """Name the columns of the images, and put them in place of the two fields in ``fields_to_export``."""
        chosen, replaced = self.fields_to_export, {self._urls, self._files}
        taken = chosen if chosen and replaced.intersection(chosen) else names
        self._columns = {name: image_column(name, set(taken) - replaced) for name in _IMAGE}
        if chosen:
            pairs = chosen.items() if isinstance(chosen, Mapping) else ((name, name) for name in chosen)
            self.fields_to_export = dict(column for pair in pairs for column in self._flat_columns(*pair))
            self._is_row_an_image = any(column in self.fields_to_export for column in self._columns.values())

    def _flat_columns(self, name: str, header: str) -> Iterator[tuple[str, str]]:
        """Yield the columns of a field, each with its header, which FEED_EXPORT_FIELDS can rename."""
        if name == self._files:
            for part, column in self._columns.items():
                yield column, column if header == name else f"{header} {part}"
        elif name == self._urls:
            yield self._columns["url"], self._columns["url"] if header == name else header
        else:
            yield name, header

    def _images(self, item: ItemAdapter) -> list[Any]:
        """Return the images of an item, or only their URLs if they were not downloaded; at least one, for the row."""
        if not self._is_row_an_image:
            return [{}]
        urls, files = item.get(self._urls), item.get(self._files)
        return files or ([{"url": url} for url in urls] if isinstance(urls, list | tuple) else []) or [{}]

    def _flat(self, names: Iterable[str], values: Mapping[str, Any], image: Any) -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for name in names:
            if name in (self._urls, self._files):
                for part, column in self._columns.items():
                    flat[column] = image.get(part, "") if isinstance(image, Mapping) else ""
            else:
                flat[name] = values.get(name, "")
        return flat

    def _build_row(self, values: Iterable[Any]) -> Iterator[Any]:
        for value in super()._build_row(values):
            if self._spreadsheet and isinstance(value, str) and _FORMULA.match(value):
                self._formulas, self._first_formula = self._formulas + 1, self._first_formula or value
                yield f"'{value}"
            else:
                yield value
