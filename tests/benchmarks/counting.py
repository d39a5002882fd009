"""How many covers a crawl has got: records in its feed whose files are there.

A process of its own, for what it reads would make its caller larger (see measure.py).
"""

import json
import sys
from pathlib import Path


def count_covers(folder: Path) -> int:
    """Pictures that output.json in *folder* names and that are in output/, each once.

    Both feeds have a record a line. They are read line by line, for after a second crawl the tutorial's holds two
    lists, which is no JSON any more.
    """
    feed, named = folder / "output.json", set()
    if not feed.exists():
        return 0
    with feed.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("{"):
                named |= {file["path"] for file in json.loads(line.rstrip().rstrip(",]"))["files"]}
    return sum((folder / "output" / path).is_file() for path in named)


if __name__ == "__main__":
    sys.stdout.write(f"{count_covers(Path(sys.argv[1]))}\n")
