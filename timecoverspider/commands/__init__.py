"""The commands of this project.

Until a command handles signals itself, Ctrl-C ends ``scrapy crawl`` and ``scrapy verify`` with one line: without this,
modules that are being imported end in a traceback.
"""

import os
import signal
import sys
from pathlib import Path
from types import FrameType


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, b"scrapy: interrupted\n")
    os._exit(128 + number)


if Path(sys.argv[0]).name in ("scrapy", "__main__.py") and sys.argv[1:2] in (["crawl"], ["verify"]):
    signal.signal(signal.SIGINT, _end)
