"""Write an export as tar files in the format of WebDataset."""

import json
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO

from timecoverspider.exports.formats.contents import DataFile, data_file
from timecoverspider.exports.formats.imagefolder import METADATA, line
from timecoverspider.exports.formats.originals import Original
from timecoverspider.exports.formats.table import Table

FOLDER = "data"
_SHARD = 1_000_000_000  # bytes of a file at most
_BLOCK = 512  # of a tar file: each member has one for its header, and is filled up to the next
_END = 20 * _BLOCK  # at most, after the last member


def write(folder: Path, table: Table, originals: Iterable[Original]) -> list[DataFile]:
    """Write files of at most 1 GB, in which each image is a member ``<key>.jpg``, and its columns are ``<key>.json``.

    The member is called .jpg if the image is a PNG too: the examples of a data set must have the same members, and
    readers look at the bytes. ``metadata.jsonl`` has all columns once more: mlcroissant cannot read JSON in tar files.

    Raises: OSError.
    """
    (folder / FOLDER).mkdir()
    files = [folder / METADATA]
    with files[0].open("w", encoding="utf-8", newline="\n") as metadata:
        examples = (_example(original, metadata) for original in originals)
        example = next(examples, None)
        while example:
            files.append(folder / FOLDER / f"train-{len(files) - 1:05}.tar")
            with _open(files[-1]) as tar:
                while example and (not tar.offset or tar.offset + sum(map(_size, example.values())) + _END <= _SHARD):
                    for name, content in example.items():
                        _add(tar, name, content)
                    example = next(examples, None)
    return [data_file(folder, file) for file in files]


def _example(original: Original, metadata: IO[str]) -> dict[str, bytes]:
    """Write the line of an image, and return the content of its members by name."""
    row = original.row
    metadata.write(line(f"{row.key}.jpg", row))
    values = json.dumps(row.values, ensure_ascii=False).encode()
    return {f"{row.key}.jpg": original.content, f"{row.key}.json": values}


@contextmanager
def _open(file: Path) -> Iterator[tarfile.TarFile]:
    with file.open("wb") as output, tarfile.open(fileobj=output, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        yield tar


def _size(content: bytes) -> int:
    return _BLOCK + -(-len(content) // _BLOCK) * _BLOCK


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a member whose header does not depend on this machine or the time."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, BytesIO(content))
    tar.getmembers().clear()  # else the memory grows with the number of members
