"""The commands of this project.

Until a command handles signals itself, Ctrl-C ends the command with one line: without this, modules that are being
imported end in a traceback.
"""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

_INTERRUPTIBLE = {"averages", "crawl", "export", "gallery", "status", "verify"}


def _open_closed_streams() -> None:
    """Open /dev/null for standard streams that are closed, as with ``2>&-``: else a database gets their number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w"))


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, b"scrapy: interrupted\n")
    os._exit(128 + number)


_open_closed_streams()
if Path(sys.argv[0]).name in ("scrapy", "__main__.py") and _INTERRUPTIBLE.intersection(sys.argv[1:2]):
    signal.signal(signal.SIGINT, _end)
