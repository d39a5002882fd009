"""``scrapy gallery``: build a page that shows all images of a data set."""

import argparse
import os
import sys
from time import monotonic

from timecoverspider.text import one_line
from timecoverspider.utils.command import DatasetCommand

_NAMED = 20  # images left out that are named


class Command(DatasetCommand):
    """Builds the gallery of a data set."""

    def syntax(self) -> str:
        return "[options] [SPIDER]"

    def short_desc(self) -> str:
        return "Build a page that shows all images of the data set"

    def long_desc(self) -> str:
        return (
            "Build the folder gallery in the folder of a spider's data set. Open index.html in this folder with a "
            "browser, from the disk or from a web server. The page shows all images at a glance (montage, image plot, "
            "averages, slice scan, images a year) and by year, with a search and the record of each image. "
            "measurements.csv has the numbers. SPIDER is by default the one whose data set is FILES_STORE itself. "
            "After a crawl, run the command again: only what is new is made. Exit status: 0 built; 1 the data set does "
            "not exist, or the gallery cannot be written; 2 wrong usage; 3 built, but some images could not be read; 5 "
            "another process builds the gallery; 130 interrupted."
        )

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        super().process_options(args, opts)
        self.name_spider(args)

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        from timecoverspider.exceptions import DatasetError  # noqa: PLC0415 (slow to import, and --help does not need it)

        try:
            self.exitcode = self._build()
        except DatasetError as error:
            print(one_line(f"scrapy gallery: {error}"), file=sys.stderr)
            self.exitcode = error.exit_status

    def _build(self) -> int:
        from tqdm import tqdm  # noqa: PLC0415

        from timecoverspider.archives import find_archive  # noqa: PLC0415
        from timecoverspider.exports.gallery.gallery import Gallery  # noqa: PLC0415

        started = monotonic()
        with self.open_dataset() as dataset:
            archives = {crawl.archive for crawl in dataset.crawls()}
            note = f"Source: {find_archive('replica').description}." if "replica" in archives else ""
            gallery = Gallery(dataset, note)
            new = len(gallery.new)
            with tqdm(
                total=gallery.work, desc="gallery", unit=" steps", disable=None, dynamic_ncols=True, leave=False
            ) as bar:
                images = gallery.build(bar.update)
        for entry, reason in gallery.left_out[:_NAMED]:
            print(one_line(f"left out: {entry.image.path} (<{entry.page_url}>): {reason}"))
        if left := gallery.left_out[_NAMED:]:
            print(f"left out: {len(left):,} more")
        if not images:
            print(f"There are no images in {os.path.relpath(dataset.folder)} to show: run scrapy crawl first.")
            return 3 if gallery.left_out else 1
        missing = f" {len(gallery.left_out):,} left out: try scrapy verify --repair." if gallery.left_out else ""
        place = os.path.relpath(dataset.layout.gallery_page)
        print(f"{images:,} images in {place}, {new:,} new: {monotonic() - started:.0f} s.{missing}")
        return 3 if gallery.left_out else 0
