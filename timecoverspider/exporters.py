"""Item exporters."""

import re
from typing import Any

from scrapy.exporters import XmlItemExporter

# What XML 1.0 forbids (section 2.2), also if it is escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class ValidXmlItemExporter(XmlItemExporter):
    """Scrapy's XML feeds, without the characters that XML forbids: Scrapy 2.19 writes them, and parsers fail."""

    def _export_xml_field(self, name: str, serialized_value: Any, depth: int) -> None:
        if isinstance(serialized_value, str):
            serialized_value = _FORBIDDEN.sub("", serialized_value)
        super()._export_xml_field(name, serialized_value, depth)
