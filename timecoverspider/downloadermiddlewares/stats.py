"""Statistics of requests and responses."""

from scrapy.downloadermiddlewares.stats import DownloaderStats
from scrapy.http import Request, Response


class LeanDownloaderStats(DownloaderStats):
    """Scrapy's statistics, but only the number of requests, of responses of each status, and of bytes in their bodies.

    For its other statistics, Scrapy serializes the headers of every request and response again.
    """

    def process_request(self, request: Request) -> None:  # type: ignore[override]
        self.stats.inc_value("downloader/request_count")

    def process_response(self, request: Request, response: Response) -> Response:  # type: ignore[override]
        self.stats.inc_value(f"downloader/response_status_count/{response.status}")
        self.stats.inc_value("downloader/response_bytes", len(response.body))
        return response
