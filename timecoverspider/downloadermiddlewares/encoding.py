"""Choose the encoding of pages."""

import contextlib

from scrapy.http import Request, Response, TextResponse
from w3lib.encoding import html_body_declared_encoding, http_content_type_encoding, read_bom, resolve_encoding

# The encodings of the WHATWG Encoding Standard. Other codecs of Python, such as punycode, take 20 s for a page of 2 MB.
_ENCODINGS = frozenset(
    map(
        resolve_encoding,
        (
            "utf-8 ibm866 iso-8859-2 iso-8859-3 iso-8859-4 iso-8859-5 iso-8859-6 iso-8859-7 iso-8859-8 iso-8859-10 "
            "iso-8859-13 iso-8859-14 iso-8859-15 iso-8859-16 koi8-r koi8-u macintosh windows-874 windows-1250 "
            "windows-1251 windows-1252 windows-1253 windows-1254 windows-1255 windows-1256 windows-1257 windows-1258 "
            "x-mac-cyrillic gbk gb18030 big5 euc-jp iso-2022-jp shift_jis euc-kr utf-16 utf-16be utf-16le"
        ).split(),
    )
)


class EncodingMiddleware:
    """Decodes valid UTF-8 as UTF-8, whatever the header says: text in another encoding is hardly ever valid UTF-8.

    Any other page is decoded as it declares. If it declares no encoding that browsers know, windows-1252 is used, as in
    browsers: Scrapy 2.19 guesses, for example cp1006 for Latin-1.
    """

    def process_response(self, request: Request, response: Response) -> Response:
        """Return the response with its encoding."""
        if not isinstance(response, TextResponse):
            return response
        is_ascii = response.body.isascii()
        if not is_ascii:
            with contextlib.suppress(UnicodeDecodeError):
                response.body.decode()
                return response.replace(encoding="utf-8")
        declared = _declared(response)
        return response if is_ascii and declared else response.replace(encoding=declared or "cp1252")


def _declared(response: TextResponse) -> str | None:
    """Return the encoding that a page declares, if browsers know it."""
    header = (response.headers.get("Content-Type") or b"").decode("latin-1")
    with contextlib.suppress(ValueError):  # a name that cannot be one
        encoding = (
            read_bom(response.body)[0]
            or http_content_type_encoding(header)
            or html_body_declared_encoding(response.body)
        )
        return encoding if encoding in _ENCODINGS else None
    return None
