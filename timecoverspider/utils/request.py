"""Which requests are the same."""

from scrapy.http import Request
from scrapy.utils.request import RequestFingerprinter

from timecoverspider.urls import without_session


class SessionlessFingerprinter(RequestFingerprinter):
    """Knows a page again whatever session its address names, so that no link leads in a circle."""

    def fingerprint(self, request: Request) -> bytes:
        return super().fingerprint(
            request.replace(url=without_session(request.url)) if "sid=" in request.url else request
        )
