"""Read ``distinct.txt``: pairs of images that a person has looked at, and that are no duplicates."""

import shlex
from collections.abc import Container
from pathlib import Path

from timecoverspider.dataset.files import regular_size


class Distinct:
    """The pairs of a file, and its lines that cannot be used. If the file does not exist, there are none."""

    def __init__(self, file: Path, known: Container[str]) -> None:
        """Read a file with two paths a line; ``#`` begins a comment. *known*: all paths of the data set."""
        self._pairs: set[frozenset[str]] = set()
        self.problems: dict[int, str] = {}  # by line number; 0: the whole file
        try:
            regular_size(file)
            lines = file.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            self.problems[0] = f"the file cannot be read: {error.strerror}"
            return
        for number, line in enumerate(lines, 1):
            try:
                if words := shlex.split(line, comments=True):
                    self._pairs.add(_pair(words, known))
            except ValueError as error:
                self.problems[number] = str(error)

    def __contains__(self, paths: tuple[str, str]) -> bool:
        return frozenset(paths) in self._pairs


def _pair(words: list[str], known: Container[str]) -> frozenset[str]:
    if len(words) != 2:
        raise ValueError(f"a line has two paths, but this line has {len(words)}")
    if words[0] == words[1]:
        raise ValueError("the two paths are the same")
    for path in words:
        if path not in known:
            raise ValueError(f"the data set has no image {path}")
    return frozenset(words)
