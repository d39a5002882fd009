"""Follow every redirect."""

from scrapy.downloadermiddlewares.redirect import RedirectMiddleware
from scrapy.http import Request, Response


class PersistentRedirectMiddleware(RedirectMiddleware):
    """Scrapy's redirects, but a redirect to a page that was already requested is followed, not silently dropped.

    REDIRECT_MAX_TIMES ends redirect loops.
    """

    def process_response(self, request: Request, response: Response) -> Request | Response:  # type: ignore[override]
        result = super().process_response(request, response)
        if isinstance(result, Request):
            result.dont_filter = True
        return result
