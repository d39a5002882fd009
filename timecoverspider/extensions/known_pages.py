"""Which pages a crawl need not request."""

from datetime import UTC, datetime, timedelta

from scrapy.crawler import Crawler

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.rows import Failure
from timecoverspider.dataset.survey import Survey


class KnownPages:
    """The part of CrawlState that decides which pages need not be requested, because their records are stored."""

    dataset: Dataset
    survey: Survey
    _audited_since: str  # UTC; pages that were read later need not be read again
    _may_stop_early: bool
    failed_before: list[Failure]  # pages that failed in an earlier crawl, without accepted failures
    _accepted: dict[str, str]  # the failure that a user has accepted, by URL
    _unlisted: set[str]  # pages without a record whose failure is accepted, and which no listing has shown yet
    # URLs of all pages that the spider found, to detect records that moved. Not needed if records have keys.
    _listed: set[str] | None

    def __init__(self, crawler: Crawler) -> None:
        assert crawler.spider is not None  # noqa: S101 (Scrapy creates it before the extensions)
        self._crawler, self._spider = crawler, crawler.spider
        self.refresh = self._has_argument("refresh")  # request all pages again, and images that changed
        repair = getattr(self._spider, "repair", None)  # paths of damaged images, from verify --repair
        self._repairs = frozenset(repair) if isinstance(repair, list) else None
        # Whether only pages are requested that failed before, and images that are damaged, and no listings are read.
        self.only_failed = vars(self._spider).get("only") == "failed"
        self.stated: int | None = None  # the number of records that the site states

    def _has_argument(self, argument: str) -> bool:
        return getattr(self._spider, argument, "0") == "1"

    def _has_recent_audit(self) -> bool:
        catalog = self.dataset.catalog
        last, valid = catalog.last_complete_walk(), timedelta(days=self._crawler.settings.getfloat("AUDIT_EVERY_DAYS"))
        return last is not None and datetime.now(UTC) - last < valid and catalog.last_crawl_was_complete()

    def _read_failures(self) -> None:
        failures = self.dataset.catalog.failures()
        self.failed_before = [failure for failure in failures if failure.reason and not failure.is_accepted]
        self._accepted = {failure.url: failure.accepted for failure in failures if failure.accepted}
        self._unlisted = set(self._accepted) - self.survey.pages.keys()

    @property
    def repairs(self) -> bool:
        """Repair mode: whether only damaged images are fetched. Not recorded in the catalog as a crawl."""
        return self._repairs is not None

    def may_stop_early(self, requested: int) -> bool:
        """Return whether the listings may end at one without a new page, because an earlier crawl has read the rest.

        If the site states more records than are stored, accepted as missing, or *requested* in this crawl, the rest has
        new pages.
        """
        accounted = self.survey.records + requested + len(self._unlisted)
        return self._may_stop_early and (self.stated is None or accounted >= self.stated)

    def is_known(self, url: str) -> bool:
        """Return whether the record of a page of one record is stored."""
        if self._listed is not None:
            self._listed.add(url)
        self._unlisted.discard(url)
        return url in self.survey.pages

    def need_not_request(self, url: str, *, is_item_page: bool) -> bool:
        """Return whether a page need not be requested, because its record is stored.

        If the spider does not say that it is an item page, a page counts as one if it has yielded one record and
        nothing else, and it is read again after AUDIT_EVERY_DAYS. An image of the record may be damaged: the image is
        downloaded again without the page. If only failed pages are requested, no page is read again.
        """
        if self.only_failed:
            page = self.dataset.catalog.find_page(url)
            return page is not None and bool(page.last_read) and not page.failure
        if self.refresh:
            return False
        if is_item_page:
            return url in self.survey.pages or url in self.survey.others
        return self.survey.pages.get(url, "") > self._audited_since
