"""Export a data set to a folder of its own, in one step."""

import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.exceptions import CrawlError, ExportError, UsageError
from timecoverspider.exports.formats import card, croissant, imagefolder, parquet, webdataset
from timecoverspider.exports.formats.about import About
from timecoverspider.exports.formats.contents import (
    NAME,
    Comparison,
    Contents,
    DataFile,
    check_replaceable,
    data_file,
    write_file,
    write_rest,
    write_row,
)
from timecoverspider.exports.formats.draft import Draft
from timecoverspider.exports.formats.originals import Damaged, Original, read_originals
from timecoverspider.exports.formats.table import Table
from timecoverspider.text import brief

WRITERS = {"imagefolder": imagefolder.write, "parquet": parquet.write, "webdataset": webdataset.write}


@dataclass
class Exported:
    """What was exported."""

    folder: Path
    version: str = ""
    images: int = 0
    bytes: int = 0  # of the images
    damaged: list[Damaged] = field(default_factory=list)


def export(
    dataset: Dataset,
    kind: str,
    target: Path,
    *,
    drawn_hosts: Collection[str] = (),
    begin: Callable[[int], object] = lambda total: None,
    done: Callable[[], object] = lambda: None,
) -> Exported:
    """Write a data set to the folder *target* in a format of WRITERS, and replace an earlier export there.

    *drawn_hosts* are the hosts whose images are the replica's drawings. *begin* is called with the number of images,
    and *done* after each. Until all is written, an earlier export stays. Damaged images are left out.

    Raises: UsageError if the folder is something else; DatasetLockedError if another export writes to it;
    CatalogError; ExportError if the folder cannot be written, or if there are no images.
    """
    if kind == "parquet":
        parquet.check_installed()
    target = Path(os.path.realpath(target))
    if target.is_relative_to(dataset.layout.images):
        raise UsageError(f"{target} is in the folder of the images: choose another folder with --out")
    try:
        check_replaceable(target, dataset.catalog.spider)
        with Draft(target) as draft, closing(Table(dataset, drawn_hosts)) as table:
            former = check_replaceable(target, dataset.catalog.spider)  # the draft may have given it its name back
            begin(table.count)
            exported = _write(dataset, kind, draft, table, former, done=done)
            draft.publish()
            return exported
    except CrawlError:
        raise
    except (OSError, sqlite3.Error) as error:
        raise ExportError(f"cannot write {target}: {getattr(error, 'strerror', None) or brief(error)}") from error


def _write(
    dataset: Dataset, kind: str, draft: Draft, table: Table, former: Contents | None, *, done: Callable[[], object]
) -> Exported:
    exported, comparison, folder = Exported(draft.target), Comparison(former, table.columns), draft.folder
    about = About.of(dataset, kind, table)
    with (folder / NAME).open("w", encoding="utf-8") as contents:

        def originals() -> Iterator[Original]:
            for original in read_originals(dataset.folder, table):
                if isinstance(original, Damaged):
                    exported.damaged.append(original)
                else:
                    write_row(contents, original.row, table.columns)
                    if kind == "imagefolder":
                        write_file(contents, DataFile(imagefolder.place(original.row, table.count), original.row.bytes))
                    comparison.see(original.row)
                    about.see(original.row)
                    exported.images += 1
                    exported.bytes += len(original.content)
                    yield original
                done()

        files = WRITERS[kind](folder, table, originals())
        if not exported.images:
            raise _nothing(dataset, exported.damaged)
        exported.version = comparison.version(kind, files)
        about.version, about.files, about.damaged = exported.version, files, exported.damaged
        files += [_write_text(folder, name, text) for name, text in _documents(about)]
        write_rest(contents, Contents(kind, dataset.catalog.spider, exported.version, table.columns, files, set()))
        contents.flush()
        os.fsync(contents.fileno())
    return exported


def _nothing(dataset: Dataset, damaged: list[Damaged]) -> ExportError:
    if not damaged:
        return ExportError(f"there are no images in {dataset.folder}")
    path, page_url, reason = damaged[0]
    return ExportError(
        f"all {len(damaged):,} images are missing or damaged; the first: {path} (<{page_url}>): {reason}"
    )


def _documents(about: About) -> Iterator[tuple[str, str]]:
    yield "README.md", card.render(about)
    yield "croissant.json", f"{json.dumps(croissant.describe(about), indent=2, ensure_ascii=False)}\n"


def _write_text(folder: Path, name: str, text: str) -> DataFile:
    (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return data_file(folder, folder / name)
