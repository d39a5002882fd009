"""``scrapy averages``: write the average image of each decade or year."""

import argparse
import os
import re
import sys
from pathlib import Path

from timecoverspider.text import one_line
from timecoverspider.utils.command import DatasetCommand

_LARGEST = 4096  # pixels; at 4096x4096 each core needs 100 MB for a sum


class Command(DatasetCommand):
    """Writes averages."""

    def syntax(self) -> str:
        return "[options] [SPIDER]"

    def short_desc(self) -> str:
        return "Write the average image of each decade or year"

    def long_desc(self) -> str:
        return (
            "Write the average of all images of each decade, or year, of a spider's data set as 1920.png and so on. "
            "SPIDER is by default the one whose data set is FILES_STORE itself. Each image is resized as OpenCV does "
            "it; the average is rounded down. Images without a date are left out. Averages of a decade or year that "
            "has no images any more are removed. A crawl may run meanwhile. "
            "Exit status: 0 averages written; 1 the catalog cannot be read, or the folder cannot be written; "
            "2 wrong usage; 3 an image is missing or cannot be decoded, and the averages are of the others; "
            "5 another process writes to the folder; 130 interrupted."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.add_argument("--by", choices=("decade", "year"), default="decade", help="period (default: decade)")
        parser.add_argument(
            "--size",
            type=_size,
            default=(400, 527),
            metavar="WxH",
            help="width and height in pixels (default: 400x527)",
        )
        parser.add_argument(
            "--out",
            type=Path,
            metavar="FOLDER",
            help="folder of the averages (default: averages/decades or averages/years in the folder of the data set)",
        )

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        super().process_options(args, opts)
        self.name_spider(args)

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        from timecoverspider.exceptions import DatasetError  # noqa: PLC0415 (slow to import, and --help does not need it)

        out = opts.out or Path(os.path.relpath(self.layout.averages)) / f"{opts.by}s"
        try:
            self.exitcode = self._run(out, opts.by, opts.size)
        except DatasetError as error:
            print(one_line(f"scrapy averages: {error}"), file=sys.stderr)
            self.exitcode = error.exit_status
        except OSError as error:
            print(one_line(f"scrapy averages: cannot write to {out}: {error.strerror}"), file=sys.stderr)
            self.exitcode = 1

    def _run(self, out: Path, by: str, size: tuple[int, int]) -> int:
        from tqdm import tqdm  # noqa: PLC0415

        from timecoverspider.exports.averages import Output, gaps, pick_images, write_averages  # noqa: PLC0415

        def report(line: str) -> None:
            tqdm.write(one_line(line), file=sys.stderr)

        with self.open_dataset() as dataset:
            images, undated = pick_images(dataset, by)
        output = Output(out, by, report)
        with tqdm(total=len(images), desc="images", unit="", disable=None, dynamic_ncols=True, leave=False) as bar:
            written = write_averages(images, dataset.folder, output, size=size, report=report, done=bar.update)
        output.finish(image.period for image in images)
        if undated:
            print(f"left out: {_count(undated, 'image')} without a date")
        if without := gaps(images, by):
            print(f"left out: {by}s without images: {', '.join(without)}")
        unreadable = f"; {_count(written.unreadable, 'image')} could not be read" if written.unreadable else ""
        print(f"{_count(written.averages, 'average')} of {_count(written.images, 'image')} in {out}{unreadable}.")
        return 3 * bool(written.unreadable)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _size(text: str) -> tuple[int, int]:
    """Return a width and a height in pixels.

    >>> _size("400x527")
    (400, 527)

    Raises: argparse.ArgumentTypeError.
    """
    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})", text, re.ASCII)
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (0 < width <= _LARGEST and 0 < height <= _LARGEST):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a width and a height in pixels, 1x1 to {_LARGEST}x{_LARGEST}"
        )
    return width, height
