"""Where redirects lead."""

from scrapy.downloadermiddlewares.redirect import RedirectMiddleware
from scrapy.http import Request, Response


class PersistentRedirectMiddleware(RedirectMiddleware):
    """Scrapy's redirects, where one that leads back to its own page is no duplicate to be dropped without a word.

    REDIRECT_MAX_TIMES ends those that lead in a circle.
    """

    def process_response(self, request: Request, response: Response) -> Request | Response:  # type: ignore[override]
        result = super().process_response(request, response)
        if isinstance(result, Request):
            result.dont_filter = True
        return result
