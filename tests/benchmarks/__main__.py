"""Measures this project beside the tutorial's, and a few downloaders, with a server on the same machine.

    .venv/bin/python tests/benchmarks

Measured, for each client as a process of its own, in a new folder and in turns with the other:

- *engine*: no latency, 16 requests in flight on both sides. What the programs themselves cost. Downloaders that are
  installed stand beside it for orientation: they get all addresses beforehand, read no page and check no picture.
- *polite*: 50 ms latency, and a server that answers eight requests of each host at a time, whatever is asked.
- *recrawl*: the same command again in the folder that a crawl has just filled.
- *start*: the time that ``scrapy crawl --help`` takes.
- with ``--scale``: this project alone with archives of 4,763 covers and more, and pictures of 1 KB.

Wall time counts from the start of the process to its end, CPU time is the user's and the system's, covers are records
whose files are there. Not measured, and good to know:

- Client and server share the machine's cores. With two, a client that uses more than one takes time from the server,
  so that differences of wall time are smaller than they would be with a server elsewhere; CPU time is the client's own.
- Pictures are drawn beforehand, and pages rendered once: the server's work is small and the same for all clients.
- The tutorial's spider loses all covers of June and July. It fetches fewer pictures, hence covers per second.
- This project flushes each picture to disk, and decodes it. What a flush costs depends on the disk.
- A process starts with the peak memory of the one that starts it, here about 15 MB: a downloader may need less.
- Nothing here is a network. Loopback loses no packets and has no bandwidth to share.
"""

import argparse
import sys
from pathlib import Path

from measure import PROJECT, serving
from regimes import Measured, measure_downloaders, measure_engine, measure_polite, measure_start, warm_up
from report import markdown, split_at_marks, write_into

REGIMES = ("engine", "polite", "recrawl", "start")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python tests/benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=REGIMES, default=REGIMES, help="regimes to measure (default: all)")
    parser.add_argument("--pairs", type=int, default=3, metavar="N", help="runs of each client (default: 3)")
    parser.add_argument("--issues", type=int, default=4763, metavar="N", help="size of the archive (default: 4763)")
    parser.add_argument(
        "--readme",
        type=Path,
        nargs="?",
        const=PROJECT / "README.md",
        metavar="FILE",
        help="put the tables into this file too (default: README.md)",
    )
    options = parser.parse_args()
    if options.pairs < 1 or options.issues < 1:
        parser.error("--pairs and --issues are 1 or more")
    if options.readme:
        try:
            split_at_marks(options.readme)  # now, and not when all is measured
        except (OSError, ValueError) as error:
            parser.error(str(error))
    return options


def main() -> None:
    options = _options()
    measured = Measured(options.issues)
    with serving(options.issues) as server:
        if set(options.only) - {"start"}:
            warm_up(server)
        if {"engine", "recrawl"} & set(options.only):
            measure_engine(measured, server, options.pairs, again="recrawl" in options.only)
        if "engine" in options.only:
            measure_downloaders(measured, server, options.pairs)
        else:
            measured.engine.clear()  # a recrawl needs the crawl before it
        if "polite" in options.only:
            measure_polite(measured, server, options.pairs)
        if "start" in options.only:
            measure_start(measured)
    text = markdown(measured, server.versions)
    sys.stdout.write(f"{text}\n")
    if options.readme:
        write_into(options.readme, text)


if __name__ == "__main__":
    main()
