"""This project with archives that are larger than the real one."""

from collections.abc import Sequence
from dataclasses import dataclass

from clients import EQUAL_TO_THE_TUTORIAL, OURS_CRAWLER
from measure import Result, serving
from regimes import fresh_folder, measured_crawl

REAL_SIZE = 4763


@dataclass
class Size:
    """What the crawls of one size of the archive cost, and how large the files are that they left."""

    crawl: Result
    recrawl: Result
    catalog: int  # bytes
    feed: int  # bytes


def sizes_up_to(issues: int) -> list[int]:
    """Return a size, and its tenth, hundredth and so on down to the real size, smallest first."""
    sizes = [issues]
    while sizes[0] // 10 >= REAL_SIZE:
        sizes.insert(0, sizes[0] // 10)
    return sizes


def measure_scale(sizes: Sequence[int]) -> list[Size]:
    """Run a crawl and a recrawl of each size, without latency, with images of 1 KB."""
    return [_measure(issues) for issues in sizes]


def _measure(issues: int) -> Size:
    label = f"scale, {issues:,} issues"
    folder = fresh_folder()
    with serving(issues, tiny=True) as server:
        crawl = measured_crawl(label, OURS_CRAWLER, folder, server, EQUAL_TO_THE_TUTORIAL)
        recrawl = measured_crawl(f"{label}, again", OURS_CRAWLER, folder, server, EQUAL_TO_THE_TUTORIAL)
        catalog, feed = folder / "output" / "catalog.db", folder / "output.json"
        return Size(crawl, recrawl, *(file.stat().st_size if file.exists() else 0 for file in (catalog, feed)))
