"""Count the covers of a crawl: records in its feed whose files exist.

A process of its own, because reading the feed would raise the peak memory of its caller (see measure.py).
"""

import json
import sys
from pathlib import Path


def count_covers(folder: Path) -> int:
    """Count the images that output.json in *folder* names and output/ holds, each once.

    Both projects write a record a line. The feed is read by line, because after a second crawl the tutorial's feed
    holds two lists, which is not JSON.
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
