"""Count what the listings of a crawl show, and detect listings that are endless or incomplete."""

import re

_MIN_SHARE = 0.9  # share of the known pages that listings must still contain
_MAX_STALE = 20  # listings in a row that show no new page and no new item
_MAX_EXCESS = 2  # times the number of records that the site states


class Listings:
    """The pages and items that the listings of a crawl lead to."""

    def __init__(self) -> None:
        self._met: set[int] = set()  # hashes of page URLs and of image URLs
        self._stated: dict[str, dict[str, int]] = {}  # by page and by link
        self._stale = 0
        self.known = 0  # links to pages whose records were stored before the crawl

    @property
    def stated(self) -> int | None:
        """The number of records that the site states, or None if the site does not state any."""
        return max((sum(set(numbers.values())) for numbers in self._stated.values()), default=None)

    def add_stated(self, page: str, url: str, stated: object) -> None:
        """Add the number of records that a page states for the link *url*: an integer, or a text with the number last.

        Different numbers of one page are added, as of facets. Each link, and each listing, may state the same total.
        """
        numbers = re.findall(r"\d[\d,]*", str(stated)[-1000:])
        if numbers:
            self._stated.setdefault(page, {})[url] = int(numbers[-1].replace(",", "")[:12])

    def meet(self, key: str) -> bool:
        """Return whether the crawl meets a page or an item for the first time."""
        before = len(self._met)
        self._met.add(hash(key))
        return len(self._met) > before

    def end_page(self, *, is_new: bool) -> None:
        """Count a page with pagination, and whether it showed a page or an item for the first time."""
        self._stale = 0 if is_new else self._stale + 1

    def why_endless(self) -> str:
        """Return why the pagination seems to have no end, or an empty string."""
        if self._stale >= _MAX_STALE:
            return f"{_MAX_STALE} listings in a row show nothing new: the pagination has no end"
        if self.stated is not None and len(self._met) > self.stated * _MAX_EXCESS + 100:
            return f"the site states {self.stated:,} records, and the listings show more than {len(self._met) - 1:,}"
        return ""

    def why_shrunk(self, known: int, moved: int = 0) -> str:
        """Return why the listings contain too few of the *known* pages, or an empty string.

        Records that have *moved* to another URL were found too.
        """
        if self.known + moved < known * _MIN_SHARE:
            return f"the listings end after {self.known:,} of {known:,} known pages"
        return ""

    def why_too_few(self, records: int) -> str:
        """Return why there are too few *records*, stored or failed, or an empty string."""
        if self.stated is not None and records < self.stated:
            return f"the site states {self.stated:,} records, and the listings lead to {records:,}"
        return ""
