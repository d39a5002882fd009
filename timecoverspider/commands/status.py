"""``scrapy status``: say whether a data set is complete, what failed, and what its crawls did."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from scrapy.exceptions import UsageError

from timecoverspider.text import one_line
from timecoverspider.utils.command import DatasetCommand
from timecoverspider.utils.spider import dataset_options

if TYPE_CHECKING:
    from timecoverspider.dataset.dataset import Dataset
    from timecoverspider.dataset.status import CrawlStatus, FailedPage, Status
    from timecoverspider.exceptions import DatasetError

_SHOWN = 10  # crawls, failed pages and damaged images; --json has all


class Command(DatasetCommand):
    """Prints the status; with --accept, also writes which failures are known."""

    def syntax(self) -> str:
        return "[options] [SPIDER]"

    def short_desc(self) -> str:
        return "Show whether the data set is complete, what failed, and the crawls so far"

    def long_desc(self) -> str:
        return (
            "Show the number of records, by year too, the crawls, the pages that failed last with the cause, the "
            "command that requests only these, and the sizes on disk; by default of each data set in FILES_STORE. "
            "This is possible while a crawl runs. Each crawl leaves the same in report.json in the folder of its data "
            "set, as --json prints for one SPIDER: spider, folder, complete, summary, running, records, stated (by the "
            "site), images, years, undated, failed, accepted, damaged, retry (the command), bytes, earlier_crawls, "
            "crawls. Without SPIDER, --json prints an object with complete and data_sets, the list of these objects. "
            "Exit status: 0 complete; 1 there is no data set, or it cannot be read; 2 wrong usage; 3 something is "
            "missing; 5 with --accept, a crawl is running."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
        parser.add_argument(
            "--accept",
            action="append",
            default=[],
            metavar="URL",
            help="accept that the page with this URL, or its image, fails: the failure no longer counts until "
            "its cause changes; may be given several times; for the data set of SPIDER, by default the main spider",
        )

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        super().process_options(args, opts)
        self.name_spider(args)

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        from timecoverspider.exceptions import DatasetError  # noqa: PLC0415 (slow to import, and --help does not need it)

        found, failure = [], 0
        try:
            if opts.accept:
                self._accept(opts.accept)
        except DatasetError as error:
            self._refuse(error)
            return
        for open_dataset in self._openers():
            try:
                with open_dataset() as dataset:
                    found.append(self._status(dataset))
            except DatasetError as error:
                self._refuse(error)
                failure = self.exitcode
        complete = not failure and all(status.complete for status in found)
        if not opts.json:
            _print(found)
        elif not self.spider_name:
            print(json.dumps({"complete": complete, "data_sets": list(map(asdict, found))}, indent=1))
        elif found:
            print(found[0].to_json())
        self.exitcode = failure or (0 if complete else 3)

    def _refuse(self, error: "DatasetError") -> None:
        print(f"scrapy status: {one_line(str(error))}", file=sys.stderr)
        self.exitcode = error.exit_status

    def _openers(self) -> list[Callable[[], "Dataset"]]:
        """Return a function for each data set that opens it: that of the spider, or all in FILES_STORE."""
        from timecoverspider.dataset.dataset import Dataset  # noqa: PLC0415 (see above)

        layout, others = self.layout, []
        if not self.spider_name:
            others = [catalog.parent for catalog in sorted(layout.folder.glob(f"*/{layout.catalog.name}"))]
        has_main = layout.catalog.exists() or bool(self.spider_settings["CATALOG_URL"]) or not others
        return [*([self.open_dataset] if has_main else []), *(partial(Dataset, folder) for folder in others)]

    def _status(self, dataset: "Dataset") -> "Status":
        from timecoverspider.dataset.status import read_status  # noqa: PLC0415 (see above)

        return read_status(dataset, options=dataset_options(self.project_settings, dataset.folder))

    def _accept(self, urls: list[str]) -> None:
        """Accept the failures of these pages, and write the report.

        Raises: UsageError if one of the pages has not failed; DatasetLockedError; DatasetError.
        """
        from timecoverspider.dataset.dataset import Dataset  # noqa: PLC0415 (see above)
        from timecoverspider.dataset.status import write_report  # noqa: PLC0415
        from timecoverspider.exceptions import DatasetError  # noqa: PLC0415

        with self.open_dataset() as dataset:  # to write would create a data set that does not exist
            folder = dataset.folder
        with Dataset(folder, self.spider_settings["CATALOG_URL"], write=True) as dataset:
            if wrong := dataset.catalog.accept_failures(urls):
                raise UsageError(f"no page with this URL failed in the last crawl: {one_line(wrong[0])}")
            try:
                write_report(dataset.layout, self._status(dataset))
            except OSError as error:
                raise DatasetError(f"cannot write {dataset.layout.report}: {error.strerror}") from error


def _print(found: list["Status"]) -> None:
    for status in found:
        for line in _lines(status):
            print(one_line(line))
    if len(found) > 1:
        print(f"{len(found)} data sets, complete: {sum(status.complete for status in found)}.")


def _lines(status: "Status") -> Iterator[str]:
    """Yield the lines for a terminal of 80 columns; only URLs, reasons, paths and the command may be longer."""
    yield f"{status.spider} in {os.path.relpath(status.folder)}"
    stated = "" if status.stated is None else f"; the site states {status.stated:,}"
    sizes = {name: _megabytes(number) for name, number in status.bytes.items()}
    yield f"  records: {status.records:,}{stated}"
    yield f"  images: {status.images:,}, {sizes['images']}; catalog: {sizes['catalog']}; other files: {sizes['other']}"
    if status.years:
        yield from _years(status)
    yield from _crawls(status)
    yield from _pages("Failed", status.failed)
    if status.retry:
        yield "  Request only these again:"
        yield f"    {status.retry}"
    yield from _pages("Accepted as failed", status.accepted)
    yield from _some("Missing or damaged images", [[path] for path in status.damaged])
    yield status.summary


def _years(status: "Status") -> Iterator[str]:
    undated = f" (without a date: {status.undated:,})" if status.undated else ""
    yield f"  Records by year{undated}:"
    yield f"    {'':4}{''.join(f'{digit:>7}' for digit in range(10))}"
    for decade in sorted({year[:3] for year in status.years}):
        numbers = (status.years.get(f"{decade}{digit}", "") for digit in range(10))
        yield f"    {decade}.{''.join(f'{number:>7}' for number in numbers)}".rstrip()


def _crawls(status: "Status") -> Iterator[str]:
    row = "    {:16} {:>10}  {:18.18} {:>8} {:>7} {:>8}"
    latest = status.crawls[-_SHOWN:]
    earlier = status.earlier_crawls + len(status.crawls) - len(latest)
    yield f"  Crawls{f', the latest {len(latest)} of {earlier + len(latest):,}' if earlier else ''}:"
    yield row.format("started (UTC)", "time", "end", "new", "failed", "requests")
    for crawl in latest:
        numbers = ["" if number is None else f"{number:,}" for number in (crawl.new, crawl.failed, crawl.requests)]
        yield row.format(crawl.started[:16].replace("T", " "), _duration(crawl.seconds), _end(crawl), *numbers).rstrip()


def _end(crawl: "CrawlStatus") -> str:
    if not crawl.cut_by or crawl.outcome in ("aborted", "interrupted"):
        return crawl.outcome
    return f"{crawl.outcome}, {crawl.cut_by.partition('=')[0]}"


def _pages(title: str, pages: list["FailedPage"]) -> Iterator[str]:
    yield from _some(title, [[f"<{page.url}>", f"  {page.reason}"] for page in pages])


def _some(title: str, entries: list[list[str]]) -> Iterator[str]:
    """Yield a title and the lines of the first entries, or nothing if there is no entry."""
    if entries:
        yield f"  {title}: {len(entries):,}"
    for line in chain.from_iterable(entries[:_SHOWN]):
        yield f"    {line}"
    if len(entries) > _SHOWN:
        yield f"    and {len(entries) - _SHOWN:,} more: --json lists all"


def _megabytes(number: int) -> str:
    return f"{number / 1e6:,.1f} MB"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
