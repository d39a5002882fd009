"""``scrapy export``: hand the data set on in a folder of its own."""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from scrapy.exceptions import UsageError

from timecoverspider.text import one_line
from timecoverspider.utils.command import DatasetCommand

if TYPE_CHECKING:
    from timecoverspider.exports.formats.export import Exported

_FORMATS = ("imagefolder", "parquet", "webdataset")


class Command(DatasetCommand):
    """Exports a data set to a folder, in one of three formats."""

    default_settings: ClassVar[dict[str, Any]] = {"DATASET_ENABLED": True}

    def syntax(self) -> str:
        return "[options] FORMAT [SPIDER]"

    def short_desc(self) -> str:
        return "Write the data set to a folder that datasets, webdataset or mlcroissant can load"

    def long_desc(self) -> str:
        return (
            "Write all images and the fields of their records to a folder, with a data set card (README.md) and "
            "croissant.json. FORMAT is imagefolder (the images, hard links if possible, and metadata.jsonl), parquet "
            "(files of about 500 MB; needs pyarrow) or webdataset (tar files of at most 1 GB). SPIDER is by default "
            "the one whose data set is FILES_STORE itself. An earlier export in the folder is replaced in one step; "
            "the version says what has changed; any other folder is refused. Missing and damaged images are named and "
            "left out. Exit status: 0 all images are exported; 1 the folder cannot be written, or there are no images; "
            "2 wrong usage; 3 images are missing or damaged; 5 a crawl is running, or another export to this folder; "
            "130 interrupted."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.add_argument("--out", metavar="FOLDER", help="the folder to write: a new one, or an earlier export")

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        super().process_options(args, opts)
        if not args or args[0] not in _FORMATS:
            raise UsageError(f"name a format: {', '.join(_FORMATS)}")
        if not opts.out:
            raise UsageError("name a folder: --out FOLDER")
        self.name_spider(args[1:])

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        from timecoverspider.exceptions import CrawlError  # noqa: PLC0415 (slow to import, and --help does not need it)

        signal.signal(signal.SIGINT, signal.default_int_handler)  # so that the draft is deleted
        try:
            self.exitcode = self._run(args[0], Path(opts.out))
        except CrawlError as error:
            print(f"scrapy export: {one_line(str(error))}", file=sys.stderr)
            self.exitcode = error.exit_status
        except KeyboardInterrupt:
            print("scrapy export: interrupted", file=sys.stderr)
            self.exitcode = 128 + signal.SIGINT

    def _run(self, kind: str, folder: Path) -> int:
        from tqdm import tqdm  # noqa: PLC0415

        from timecoverspider.archives.replica import ReplicaArchive  # noqa: PLC0415
        from timecoverspider.dataset.lock import check_unlocked  # noqa: PLC0415
        from timecoverspider.exports.formats.export import export  # noqa: PLC0415

        check_unlocked(self.layout.lock)
        with (
            self.open_dataset() as dataset,
            tqdm(desc="images", unit="", disable=None, dynamic_ncols=True, leave=False) as bar,
        ):
            is_replica = any(crawl.archive == ReplicaArchive.name for crawl in dataset.crawls())
            drawn = ReplicaArchive.hosts() if is_replica else ()
            exported = export(dataset, kind, folder, drawn_hosts=drawn, begin=bar.reset, done=bar.update)
        for damaged in exported.damaged:
            print(one_line(f"left out: {damaged.path} (<{damaged.page_url}>): {damaged.reason}"))
        print(_closing(exported))
        return 3 * bool(exported.damaged)


def _closing(exported: "Exported") -> str:
    left_out = f", left out: {len(exported.damaged):,}" if exported.damaged else ""
    return (
        f"{exported.images:,} images, {exported.bytes / 1e6:,.0f} MB, in {os.path.relpath(exported.folder)}, "
        f"version {exported.version}{left_out}."
    )
