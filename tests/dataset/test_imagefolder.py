"""The library ``datasets`` loads a data set as it lies, with metadata.jsonl."""

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from data_set import metadata
from mock_archive import DAYS
from sample_dataset import make_dataset, write_metadata
from scrapy_command import run_program

from timecoverspider.dataset.dataset import Dataset

pytestmark = pytest.mark.slow

_LOAD = """
import hashlib, json
from datasets import Image, load_dataset

rows = load_dataset("imagefolder", data_files=["output/metadata.jsonl", "output/full/*"], split="train")
files = rows.cast_column("image", Image(decode=False))
for row, file in zip(rows, files):
    row["image"] = [row["image"].mode, *row["image"].size, len(row["image"].tobytes())]
    print(json.dumps({**row, "file": file["image"]["path"]}, default=str))
"""


def load(folder: Path) -> list[dict[str, Any]]:
    """Load the data set in ``output``, decode all images, and return the rows."""
    pytest.importorskip("datasets", reason="pip install -r tests/requirements-slow.txt")
    cache = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "cache")}
    done = run_program(sys.executable, "-c", _LOAD, cwd=folder, **cache)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def assert_loaded(folder: Path) -> None:
    rows, expected = load(folder), metadata(folder)
    assert len(rows) == len(expected)
    for row, known in zip(rows, expected, strict=True):
        assert row["image"][0] in ("L", "RGB")
        assert row["image"][3] == row["image"][1] * row["image"][2] * len(row["image"][0])
        assert hashlib.md5(Path(row["file"]).read_bytes()).hexdigest() == known["checksum"]
        assert (row["title"], row["pubDate"]) == (known["title"], f"{known['pubDate']} 00:00:00")


def test_all_images_of_a_crawl_are_loaded_and_decoded(folder: Path) -> None:
    assert_loaded(folder)
    assert len(metadata(folder)) == 40


def test_data_set_with_another_one_and_other_files_beside_it_is_loaded_alone(tmp_path: Path) -> None:
    make_dataset(tmp_path, DAYS[:3])
    make_dataset(tmp_path / "other", DAYS[3:9])
    shutil.move(tmp_path / "other" / "output", tmp_path / "output" / "books")
    (tmp_path / "output" / "full" / "stray.jpg").write_bytes(b"")
    assert_loaded(tmp_path)
    assert len(metadata(tmp_path)) == 3


def test_data_set_of_nested_missing_and_clashing_fields_is_loaded(tmp_path: Path) -> None:
    make_dataset(tmp_path, DAYS[:3])
    fields: list[dict[str, Any]] = [
        {"image": "a", "file_name": "b", "pdf_file_name": "c.pdf", "url": "http://shop/1"},
        {"tags": ["x", {"file_name": "y"}], "rating": 4},
        {"tags": {"x": 1}, "rating": 4.5},
    ]
    with Dataset(tmp_path / "output", write=True, archive="live") as dataset:
        records = zip(dataset.records(), fields, strict=True)
        dataset.catalog.save(records=[record._replace(item=record.item | more) for record, more in records])
        write_metadata(dataset)
    assert_loaded(tmp_path)
    rows = load(tmp_path)
    names = ("image_", "file_name_", "pdf_file_name_", "url", "tags", "rating")
    assert [[row[name] for name in names] for row in rows] == [
        ["a", "b", "c.pdf", "http://shop/1", None, None],
        [None, None, None, None, '["x",{"file_name":"y"}]', 4],
        [None, None, None, None, '{"x":1}', 4.5],
    ]
    assert all(row["image_url"].startswith("http://img.timeinc.net/") for row in rows)
