"""Save items in the catalog."""

import json
from typing import Any, Self

from itemadapter import ItemAdapter
from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import DropItem, NotConfigured
from scrapy.exporters import PythonItemExporter
from scrapy.http import Request, Response
from scrapy.utils.serialize import ScrapyJSONEncoder
from twisted.python.failure import Failure

from timecoverspider.dataset.rows import Record, now
from timecoverspider.exceptions import CatalogError
from timecoverspider.extensions.crawl_state import CrawlState
from timecoverspider.spider_errors import describe, is_about_page
from timecoverspider.text import brief
from timecoverspider.utils.request import page_url

_EXPORTER, _ENCODER = PythonItemExporter(), ScrapyJSONEncoder(ensure_ascii=False)


def _plain(item: Any) -> dict[str, Any]:
    """Return an item as a dict of JSON values, with the serializers of its fields applied.

    Raises: TypeError or ValueError if JSON or UTF-8 cannot represent a value.
    """
    adapter = ItemAdapter(item)
    serializes = any("serializer" in adapter.get_field_meta(name) for name in adapter)
    text = _ENCODER.encode(_EXPORTER.export_item(item) if serializes else dict(adapter))
    values: dict[str, Any] = json.loads(text.encode())
    return values


def _request(response: Response | None) -> Request | None:
    return response.request if response else None


class IncompleteItemError(DropItem):
    """An image of an item could not be stored. Raised by ImageStorePipeline."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, log_level="DEBUG")  # CrawlState logs the page and the reason


class EnoughRecordsError(DropItem):
    """The data set has as many records as the argument ``limit`` allows. Raised by ImageStorePipeline."""

    def __init__(self) -> None:
        super().__init__("the limit is reached", log_level="DEBUG")


class ItemStore:
    """Saves each item after the last pipeline, or record why it failed."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        if not crawler.settings.getbool("DATASET_ENABLED"):
            raise NotConfigured
        store = cls(crawler)
        for name in ("item_scraped", "item_dropped", "item_error"):
            crawler.signals.connect(getattr(store, name), getattr(signals, name))
        return store

    async def item_scraped(self, item: Any, response: Response | None) -> None:
        """Save an item on disk; if this item cannot be saved, record its page as failed, and continue."""
        state = CrawlState.of(self._crawler)
        await self._save(state, item, response)
        state.end_item()

    async def _save(self, state: CrawlState, item: Any, response: Response | None) -> None:
        page, time = self._page_of(response), now()
        try:
            values = _plain(item)
            key = state.dataset.catalog.fields.key_of(values)
        except (TypeError, ValueError) as error:
            state.record_failure(page, f"the item cannot be saved: {brief(error)}", _request(response))
            return
        try:
            is_new = await state.queue.save(Record(key, values, page, time, time))
            state.record_saved(is_new, moved=not is_new and page not in state.survey.pages)
        except CatalogError as error:
            state.abort(str(error))

    def item_dropped(self, response: Response | None, exception: Exception) -> None:
        """Record a failure if an image of the item failed. An item that another pipeline drops has not failed."""
        state = CrawlState.of(self._crawler)
        if isinstance(exception, EnoughRecordsError):
            return
        if isinstance(exception, IncompleteItemError):
            state.record_failure(self._page_of(response), str(exception), _request(response))
        else:
            state.dropped += 1
        state.end_item()

    def item_error(self, response: Response | None, failure: Failure) -> None:
        """Record a failure if a pipeline raised an unexpected error; Scrapy logs the traceback."""
        state, error = CrawlState.of(self._crawler), failure.value
        if isinstance(error, Exception) and is_about_page(error):
            state.record_failure(self._page_of(response), describe(error), _request(response))
        else:
            state.abort(describe(error))
        state.end_item()

    def _page_of(self, response: Response | None) -> str:
        """Return the page URL of an item, or an empty string if the spider yielded the item without a page."""
        return page_url(response.request, self._crawler.spider) if response and response.request else ""
