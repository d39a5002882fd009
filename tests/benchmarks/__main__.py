"""Measure this project beside the tutorial's, and a few downloaders, with a server on the same machine.

    .venv/bin/python tests/benchmarks

Each client is a process of its own in a new folder, and the clients take turns:

- *engine*: no latency, 16 requests in flight on both sides: what the programs themselves cost. Installed downloaders
  are measured for comparison: they get all URLs beforehand, read no page and validate no image.
- *polite*: 50 ms latency, and a server that answers eight requests of each host at a time.
- *recrawl*: the same command again in the folder that a crawl has just filled.
- *verification*: this project with and without decoding each image before it is stored.
- *start*: the time that ``scrapy crawl --help`` takes.
- *averages*: ``scrapy averages``, and a stand-in of the script of the tutorial's follow-up, which uses OpenCV. Both
  average the same covers by decade. This regime and the next two need tests/requirements-slow.txt.
- *gallery*: ``scrapy gallery``, first without a gallery, then again.
- *parquet*: ``scrapy export parquet``, and a script of ten lines that writes the same images with pyarrow.
- with ``--scale``: this project alone with archives of 4,763 covers and more, and images of 1 KB.

Wall time counts from the start of the process to its end. CPU time is the user's and the system's. Covers are records
whose files exist. What the figures do not say:

- Client and server share the machine's cores. If a client uses more than one of two cores, it takes time from the
  server, and differences of wall time are smaller than with a server elsewhere. CPU time is the client's alone.
- Images are drawn beforehand, and pages are rendered once: the server's work is small and the same for all clients.
- Images are as large as real covers: the median is 55 KB, and nine in ten have 40 to 100 KB. They have no padding:
  the median image is decoded in 0.50 ms, the median of 42 real covers in 0.45 ms, and a plain drawing in 0.16 ms.
- The tutorial's spider loses all covers of June and July. It fetches fewer images, so compare covers per second.
- This project flushes each image to disk and decodes it. What a flush costs depends on the disk.
- If the file system is slow to make files, this dominates: look at the system's part of the CPU time. The folders are
  in TMPDIR and are deleted at the end. Each crawl needs 400 MB.
- Peak memory is the sum of the peaks of the process and of its children, even if these were at different times.
- A process starts with the peak memory of its parent, here about 15 MB: a downloader may need less.
- The least time of *polite* is computed. A bare aiohttp client that had all URLs and requested the cover pages alone
  took 1.04 times as long, with a server of 50.5 ms on one machine: the difference is timers and wake-ups.
- There is no network. Loopback loses no packets and shares no bandwidth.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from clients import EXPORTS
from measure import HERE, serving
from regimes import (
    Measured,
    folders,
    measure_downloaders,
    measure_engine,
    measure_exports,
    measure_polite,
    measure_start,
    measure_verification,
    warm_up,
)
from report import markdown, split_at_marks, write_into
from scale import REAL_SIZE, measure_scale, sizes_up_to

REGIMES = ("engine", "polite", "recrawl", "verification", "start", *EXPORTS)


def number(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python tests/benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=REGIMES, help="regimes to measure (default: all)")
    parser.add_argument("--pairs", type=number, default=3, metavar="N", help="runs of each client (default: 3)")
    parser.add_argument(
        "--issues", type=number, default=REAL_SIZE, metavar="N", help="size of the archive (default: 4763)"
    )
    parser.add_argument(
        "--scale",
        type=number,
        nargs="?",
        const=REAL_SIZE * 10,
        metavar="N",
        help="measure archives of N issues and of N/10, N/100 down to 4763, and no regimes but those of --only "
        "(default: 47630; 476300 takes long, and 5 GB of disk)",
    )
    parser.add_argument(
        "--readme",
        type=Path,
        nargs="?",
        const=HERE / "README.md",
        metavar="FILE",
        help="also write the tables to this file (default: tests/benchmarks/README.md)",
    )
    options = parser.parse_args()
    if options.readme:
        try:
            split_at_marks(options.readme)  # before measuring takes its time
        except (OSError, ValueError) as error:
            parser.error(str(error))
    return options


def _measure(regimes: Sequence[str], issues: int, pairs: int) -> tuple[Measured, dict[str, str]]:
    """Return the results by regime, and the versions of the libraries."""
    measured = Measured(issues)
    with serving(issues) as server:
        if set(regimes) - {"start", *EXPORTS}:
            warm_up(server)
        if {"engine", "recrawl"} & set(regimes):
            measure_engine(measured, server, pairs, again="recrawl" in regimes)
        if "engine" in regimes:
            measure_downloaders(measured, server, pairs)
        else:
            measured.engine.clear()  # a recrawl needs the crawl before it
        if "polite" in regimes:
            measure_polite(measured, server, pairs)
        if "verification" in regimes:
            measure_verification(measured, server, pairs)
        if "start" in regimes:
            measure_start(measured)
        if exports := [regime for regime in EXPORTS if regime in regimes]:
            measure_exports(measured, exports, server, pairs)
    return measured, server.versions


def main() -> None:
    options = _options()
    regimes = options.only or (REGIMES if options.scale is None else ())
    with folders():
        measured, versions = _measure(regimes, options.issues, options.pairs)
        scale = measure_scale(sizes_up_to(options.scale)) if options.scale else []
    text = markdown(measured, scale, versions)
    sys.stdout.write(f"{text}\n")
    if options.readme:
        write_into(options.readme, text)


if __name__ == "__main__":
    main()
