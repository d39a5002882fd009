"""Which encoding a page has."""

import contextlib

from scrapy.http import Request, Response, TextResponse


class EncodingMiddleware:
    """Takes for UTF-8 what is, whatever its header says: text in another encoding is hardly ever valid UTF-8."""

    def process_response(self, request: Request, response: Response) -> Response:
        """The response, with the encoding ``utf-8`` where its bytes beyond ASCII agree with that."""
        if isinstance(response, TextResponse) and not response.body.isascii():
            with contextlib.suppress(UnicodeDecodeError):
                response.body.decode()
                return response.replace(encoding="utf-8")
        return response
