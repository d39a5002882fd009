"""``scrapy replica``: serve the replica of the archive to any client."""

import argparse
import asyncio
import signal
import sys
from math import inf
from pathlib import Path

from scrapy.commands import ScrapyCommand
from scrapy.exceptions import UsageError

_GREETING = """\
The replica of the TIME cover archive, {issues:,} issues, answers as a proxy at {address} until Ctrl-C:

  http_proxy={address} curl "http://search.time.com/results.html?N=46&Ns=p_date_range|1"
  http_proxy={address} wget http://img.timeinc.net/time/magazine/archive/covers/2014/1101140310_600.jpg
  chromium --proxy-server={address} http://content.time.com/time/covers/0,16641,20140310,00.html
  http_proxy={address} scrapy crawl pyimagesearch-cover-spider -s ARCHIVE=live -s DOWNLOAD_DELAY=0

Its images are drawn by a program, they are not TIME's."""

_EXAMPLE = '{"seed":7, "rules":[{"fault":"status", "url":"/covers/2014/", "status":503, "times":2}]}'


async def _serve(issues: int | None, latency: float, port: int, faults: Path | None) -> None:
    from timecoverspider.replica.app import make_app, serve  # noqa: PLC0415
    from timecoverspider.replica.faults import Faults  # noqa: PLC0415
    from timecoverspider.replica.issues import issue_dates  # noqa: PLC0415 (every scrapy command imports this module)

    days = issue_dates(issues)
    app = make_app(days, latency, Faults.load(faults) if faults else None)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with serve(app, port) as address:
        print(_GREETING.format(issues=len(days), address=address), flush=True)
        if faults:
            print(f"It simulates the faults in {faults}.", flush=True)
        await stopped.wait()


class Command(ScrapyCommand):
    """Serves the replica until Ctrl-C."""

    requires_crawler_process = False

    def syntax(self) -> str:
        return "[options]"

    def short_desc(self) -> str:
        return "Serve the replica of the TIME cover archive"

    def long_desc(self) -> str:
        return (
            "Serve the replica of the TIME cover archive on 127.0.0.1, as a proxy for the archive's three hosts, "
            "until Ctrl-C. Any client that supports http_proxy can use it; scrapy crawl starts a replica of its own."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        from timecoverspider.replica.faults import FAULTS  # noqa: PLC0415 (see above)

        super().add_options(parser)
        parser.add_argument("--port", type=int, default=0, metavar="N", help="TCP port (default: any free port)")
        parser.add_argument(
            "--latency", type=float, default=0, metavar="MS", help="milliseconds by which each response is delayed"
        )
        parser.add_argument(
            "--issues",
            type=int,
            metavar="N",
            help="number of issues (default: 4763, as in the real archive); if smaller, only the newest issues; "
            "if larger, also issues before 1923, one a week, and one a day beyond 105,056 issues",
        )
        parser.add_argument(
            "--faults",
            type=Path,
            metavar="FILE",
            help=f"simulate the faults in this JSON file, e.g. {_EXAMPLE}; the faults are {', '.join(FAULTS)}",
        )

    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        if (
            args
            or not 0 <= opts.latency < inf
            or not 0 <= opts.port < 2**16
            or (opts.issues is not None and opts.issues < 1)
        ):
            raise UsageError("--port must be 0 to 65535, --latency 0 or more, --issues 1 or more; no other arguments")
        try:
            asyncio.run(_serve(opts.issues, opts.latency / 1000, opts.port, opts.faults))
        except OverflowError as error:
            raise UsageError(f"--issues {opts.issues}: the calendar does not go back so far") from error
        except ValueError as error:
            raise UsageError(str(error)) from error
        except OSError as error:
            print(f"scrapy replica: cannot listen on port {opts.port}: {error.strerror}", file=sys.stderr)
            self.exitcode = 1
