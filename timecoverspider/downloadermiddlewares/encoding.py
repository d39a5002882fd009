"""Detect pages in UTF-8."""

import contextlib

from scrapy.http import Request, Response, TextResponse


class EncodingMiddleware:
    """Decodes valid UTF-8 as UTF-8, whatever the header says: text in another encoding is hardly ever valid UTF-8."""

    def process_response(self, request: Request, response: Response) -> Response:
        """Return the response, with the encoding ``utf-8`` if the body is valid UTF-8 and not plain ASCII."""
        if isinstance(response, TextResponse) and not response.body.isascii():
            with contextlib.suppress(UnicodeDecodeError):
                response.body.decode()
                return response.replace(encoding="utf-8")
        return response
