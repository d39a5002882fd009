"""Choose the encoding of pages."""

import contextlib

from scrapy.http import Request, Response, TextResponse
from w3lib.encoding import resolve_encoding

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

    Any other page is decoded as it declares. If it declares an encoding that browsers do not know, windows-1252 is
    used, the encoding of browsers for pages that declare none.
    """

    def process_response(self, request: Request, response: Response) -> Response:
        """Return the response with its encoding."""
        if not isinstance(response, TextResponse):
            return response
        if not response.body.isascii():
            with contextlib.suppress(UnicodeDecodeError):
                response.body.decode()
                return response.replace(encoding="utf-8")
        try:
            is_known = response.encoding in _ENCODINGS
        except ValueError:  # a name that cannot be one
            is_known = False
        return response if is_known else response.replace(encoding="cp1252")
