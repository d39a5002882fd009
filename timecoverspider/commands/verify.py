"""``scrapy verify``: compare the images on disk with the catalog and the feed."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from scrapy.exceptions import UsageError

from timecoverspider.commands.crawl import run_crawl
from timecoverspider.text import one_line
from timecoverspider.utils.command import DatasetCommand

if TYPE_CHECKING:
    from timecoverspider.dataset.dataset import Dataset
    from timecoverspider.dataset.verification import Finding
    from timecoverspider.exports.quality.quality import Hint

_FORMATS = {".json": "json", ".jsonl": "jsonlines", ".jl": "jsonlines"}


class Command(DatasetCommand):
    """Checks the data set; with --repair, also fixes the problems found."""

    default_settings: ClassVar[dict[str, Any]] = {"DATASET_ENABLED": True}

    def syntax(self) -> str:
        return "[options] [SPIDER] [FEED]"

    def short_desc(self) -> str:
        return "Check the images, the catalog and the feed of the data set"

    def long_desc(self) -> str:
        return (
            "Read and decode every image, and compare the catalog, the folder, metadata.jsonl and the feed of a "
            "spider's data set. SPIDER is by default the one whose data set is FILES_STORE itself; FEED is by default "
            "each feed in JSON or JSON lines that the data set was written to. Print one line for each image or record "
            "that is missing, cut, altered, undecodable, or not in all of them. Without --repair, change nothing. "
            "With --inspect, also print hints on the quality of the images. A hint is no problem, and does not change "
            "the exit status. To say that two images are no duplicates, write their paths on a line of distinct.txt in "
            "the folder of the data set. "
            "Exit status: 0 no problems; 1 the catalog does not exist or cannot be read; 2 wrong usage; "
            "3 problems found; 5 a crawl is running; 130 interrupted."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.add_argument(
            "--repair",
            action="store_true",
            help="download damaged and missing images again; move files that belong to no cover to the folder unknown; "
            "write the feed and metadata.jsonl again if they differ from the catalog",
        )
        parser.add_argument(
            "--inspect",
            action="store_true",
            help="also name duplicates, near duplicates, placeholders, odd sizes, modes and formats, and JPEG files "
            "for which the decoder has warnings",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        super().process_options(args, opts)
        feeds = [Path(arg) for arg in args if Path(arg).suffix in _FORMATS]
        if len(feeds) > 1:
            raise UsageError(f"name at most one feed; a feed's name ends in {', '.join(_FORMATS)}")
        self.name_spider([arg for arg in args if Path(arg).suffix not in _FORMATS])
        self._feeds = feeds

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        from timecoverspider.exceptions import DatasetError  # noqa: PLC0415 (slow to import, and --help does not need it)

        try:
            self.exitcode = self._run(opts)
        except DatasetError as error:
            print(f"scrapy verify: {error}", file=sys.stderr)
            self.exitcode = error.exit_status

    def _run(self, opts: argparse.Namespace) -> int:
        covers, findings = self._look()
        if not opts.json:
            _print_all(findings)
        left, ended = findings, 0
        if findings and opts.repair:
            ended = self._repair(findings)
            covers, left = self._look()
        repaired = [finding for finding in findings if finding not in left]
        hints = self._inspect() if opts.inspect else None
        if opts.json:
            quality = {} if hints is None else {"hints": _objects(hints)}
            report = {"covers": covers, "findings": _objects(left), "repaired": _objects(repaired), **quality}
            print(json.dumps(report, indent=1))
        else:
            for finding in repaired:
                print(one_line(f"repaired: {finding.subject}"))
            _print_all(hints or [])
            print(self._closing(covers, findings, left, hints))
        return ended if ended not in (0, 3, 4) else 3 * bool(left)

    def _look(self) -> tuple[int, list["Finding"]]:
        """Return the number of covers and the problems found.

        Raises: DatasetError if the data set cannot be used.
        """
        from tqdm import tqdm  # noqa: PLC0415

        from timecoverspider.dataset.lock import check_unlocked  # noqa: PLC0415
        from timecoverspider.dataset.verification import verify  # noqa: PLC0415

        check_unlocked(self.layout.lock)
        with self.open_dataset() as dataset:
            self._spider, covers = dataset.catalog.spider, dataset.catalog.count()
            self._feeds = self._feeds or self._published(dataset)
            with tqdm(total=covers, desc="images", unit="", disable=None, dynamic_ncols=True, leave=False) as bar:
                return covers, list(verify(dataset, self._feeds, bar.update))

    def _inspect(self) -> list["Hint"]:
        """Return hints on the quality of the images.

        Raises: DatasetError if the data set cannot be used.
        """
        from tqdm import tqdm  # noqa: PLC0415

        from timecoverspider.exports.quality.quality import STEPS, inspect  # noqa: PLC0415 (numpy and Pillow)

        with self.open_dataset() as dataset:
            total = STEPS * dataset.catalog.count_images()
            with tqdm(total=total, desc="quality", unit="", disable=None, dynamic_ncols=True, leave=False) as bar:
                return inspect(dataset, bar.update)

    def _published(self, dataset: "Dataset") -> list[Path]:
        """Return the feeds that the data set was written to, if they exist and have a format that can be read."""
        paths = dict.fromkeys(Path(os.path.relpath(feed.path)) for feed in dataset.feeds())
        feeds = [path for path in paths if path.suffix in _FORMATS and path.exists() and _is_of(dataset, path)]
        usual = Path("output.json")  # a catalog of version 1 has no feeds, and that of a copied folder other paths
        return feeds or [usual] * (self._spider == self.project_settings["MAIN_SPIDER"] and usual.exists())

    def _repair(self, findings: list["Finding"]) -> int:
        """Move unknown files, download damaged images, write the feed, and return the crawl's exit status."""
        from timecoverspider.dataset.verification import move_unknown  # noqa: PLC0415

        assert self.crawler_process is not None  # noqa: S101 (set by scrapy.cmdline)
        if self._spider not in self.crawler_process.spider_loader.list():
            raise UsageError(f"the data set belongs to the spider {self._spider!r}, which this project does not have")
        move_unknown(self.layout, findings)
        feeds = {str(feed): {"format": _FORMATS[feed.suffix]} for feed in self._feeds}
        self.crawler_process.settings.set("FEEDS", feeds, "cmdline")
        damaged = [finding.subject for finding in findings if finding.page_url]
        return run_crawl(self.crawler_process, self.crawler_process.create_crawler(self._spider), repair=damaged)

    def _closing(
        self, covers: int, findings: list["Finding"], left: list["Finding"], hints: list["Hint"] | None
    ) -> str:
        noun = "covers" if self._spider == self.project_settings["MAIN_SPIDER"] else "records"
        places = [os.path.relpath(self.layout.folder), *map(str, self._feeds)]
        checked = f"{covers:,} {noun} in {' and '.join(places)}"
        inspected = "" if hints is None else f"; hints on quality: {len(hints):,}"
        if not findings:
            return f"{checked}: no problems{inspected}."
        repaired = f", repaired: {len(findings) - len(left):,}" if len(left) < len(findings) else ""
        return f"{checked}: problems found: {len(findings):,}{repaired}{inspected}."


def _is_of(dataset: "Dataset", feed: Path) -> bool:
    """Return whether a feed is not that of another data set, of which this one is a copy."""
    from timecoverspider.dataset.feed_file import FeedFile  # noqa: PLC0415
    from timecoverspider.exceptions import UsageError as FeedUsageError  # noqa: PLC0415

    with suppress(FeedUsageError):
        FeedFile(feed, dataset).check()
        return True
    return False


def _print_all(found: Sequence["Finding | Hint"]) -> None:
    for finding in found:
        page = f" (<{finding.page_url}>)" if finding.page_url else ""
        print(one_line(f"{finding.what}: {finding.subject}{page}: {finding.reason}"))


def _objects(found: Sequence["Finding | Hint"]) -> list[dict[str, Any]]:
    return [asdict(finding) for finding in found]
