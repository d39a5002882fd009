"""Exports read back by datasets, webdataset and mlcroissant: images are decoded and counted, and their bytes compared.

That mlcroissant validates a croissant.json proves little: it also validates joins that find no image.
"""

import hashlib
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from items_dataset import covers, drawing, image_bytes, store_items
from PIL import Image

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.exports.formats.export import WRITERS, export

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # the readers and what they import warn

every_format = pytest.mark.parametrize("kind", sorted(WRITERS))

NAME = 'a name: [with] "all" that is / hard\'s'
KINDS = [("JPEG", ".jpg"), ("PNG", ".png"), ("GIF", ".gif"), ("WEBP", ".webp")]


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the readers use no network, and caches of the test's own."""
    for name, value in {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}.items():
        monkeypatch.setenv(name, value)


def exported(folder: Path, kind: str, items: list[dict[str, Any]] | None = None) -> Path:
    """Export 40 covers, or items, and return the folder."""
    if not (folder / "output").exists():
        store_items(folder / "output", covers(40) if items is None else items)
    with Dataset(folder / "output") as dataset:
        export(dataset, kind, folder / "out")
    return folder / "out"


def decoded(image: Image.Image) -> Image.Image:
    image.load()
    return image.convert("RGB")


def checksum(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def load(folder: Path, cache: Path) -> list[dict[str, Any]]:
    """Load an export as its card says, without decoding."""
    datasets = pytest.importorskip("datasets", reason="the export is read back by datasets")
    data = datasets.load_dataset(str(folder), split="train", cache_dir=str(cache))
    column = "jpg" if "jpg" in data.column_names else "image"
    for row in data:
        decoded(row[column])
    rows = data.cast_column(column, datasets.Image(decode=False))
    return [{**(row.get("json") or row), "image": row[column]} for row in rows]


@every_format
def test_datasets_loads_the_folder_with_every_image(tmp_path: Path, kind: str) -> None:
    rows = load(exported(tmp_path, kind), tmp_path / "cache")
    images = image_bytes(tmp_path / "output")
    assert len(rows) == len(images) == 40
    for row in rows:
        content = row["image"]["bytes"] or Path(row["image"]["path"]).read_bytes()
        assert content == images[row["checksum"]]
    assert {row["title"] for row in rows} == {item["title"] for item in covers(40)}


@every_format
def test_datasets_gets_the_types_of_the_columns(tmp_path: Path, kind: str) -> None:
    items = [{"pubDate": f"19{n:02}-01-01", NAME: n or None, "price": None if n < 9 else n / 2} for n in range(20)]
    rows = load(exported(tmp_path, kind, items), tmp_path / "cache")
    assert [row[NAME] for row in rows] == [None, *range(1, 20)]
    assert [row["price"] for row in rows] == [None] * 9 + [n / 2 for n in range(9, 20)]
    assert [str(row["pubDate"])[:10] for row in rows] == [item["pubDate"] for item in items]


@every_format
def test_datasets_decodes_images_of_all_formats(tmp_path: Path, kind: str) -> None:
    for number, (name, suffix) in enumerate(KINDS):
        store_items(tmp_path / "output", [{"title": name, "n": number}], [drawing(number, name)], suffix=suffix)
    rows = load(exported(tmp_path, kind), tmp_path / "cache")
    assert sorted(row["title"] for row in rows) == ["GIF", "JPEG", "PNG", "WEBP"]


def test_webdataset_decodes_every_image(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset", reason="the export is read back by webdataset")
    [tar] = (exported(tmp_path, "webdataset") / "data").iterdir()
    raw = list(webdataset.WebDataset(str(tar), shardshuffle=False))
    images = image_bytes(tmp_path / "output")
    assert {checksum(example["jpg"]) for example in raw} == set(images)
    examples = list(webdataset.WebDataset(str(tar), shardshuffle=False).decode("pil"))
    assert len(examples) == 40
    for example in examples:
        assert example["jpg"].size == Image.open(BytesIO(images[example["json"]["checksum"]])).size


def records(folder: Path, cache: Path) -> list[dict[str, Any]]:
    """Return the records that mlcroissant finds, in a process of its own: it has one cache for the whole process."""
    pytest.importorskip("mlcroissant", reason="the export is read back by mlcroissant")
    code = (
        "import pickle, sys, mlcroissant\n"
        "dataset = mlcroissant.Dataset(sys.argv[1])\n"
        "assert not dataset.metadata.ctx.issues.errors, dataset.metadata.ctx.issues.report()\n"
        "rows = [dict(row) for row in dataset.records('images')]\n"
        "sys.stdout.buffer.write(pickle.dumps(rows))\n"
    )
    import pickle  # noqa: PLC0415

    command = [sys.executable, "-W", "ignore", "-c", code, str(folder / "croissant.json")]
    done = subprocess.run(command, env={**os.environ, "CROISSANT_CACHE": str(cache)}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return [
        {name.partition("/")[2]: value.decode() if isinstance(value, bytes) else value for name, value in row.items()}
        for row in pickle.loads(done.stdout)
    ]


@every_format
def test_mlcroissant_decodes_every_image_with_its_record(tmp_path: Path, kind: str) -> None:
    rows = records(exported(tmp_path, kind), tmp_path / "cache")
    images = image_bytes(tmp_path / "output")
    assert len(rows) == 40
    assert {row["checksum"] for row in rows} == set(images)
    titles = {item["title"]: item["pubDate"] for item in covers(40)}
    for row in rows:
        expected = Image.open(BytesIO(images[row["checksum"]])).convert("RGB")
        assert decoded(row["image"]).tobytes() == expected.tobytes()
        assert str(row["pubDate"])[:10] == titles[row["title"]]


@every_format
def test_mlcroissant_reads_columns_with_hard_names_and_without_values(tmp_path: Path, kind: str) -> None:
    items = [{"title": f"t{n}", NAME: f"v{n}", "price": None if n else 5} for n in range(3)]
    rows = records(exported(tmp_path, kind, items), tmp_path / "cache")
    assert len(rows) == 3
    assert sorted(value for row in rows for name, value in row.items() if str(value).startswith("v")) == [
        "v0",
        "v1",
        "v2",
    ]


@every_format
def test_mlcroissant_reads_several_files_and_subfolders(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timecoverspider.exports.formats.imagefolder._MOST", 10)
    monkeypatch.setattr("timecoverspider.exports.formats.parquet._GROUP", 4_000)
    monkeypatch.setattr("timecoverspider.exports.formats.parquet._SHARD", 9_000)
    monkeypatch.setattr("timecoverspider.exports.formats.webdataset._SHARD", 30_000)
    folder = exported(tmp_path, kind)
    assert kind == "imagefolder" or len(list((folder / "data").iterdir())) > 2
    assert {row["checksum"] for row in records(folder, tmp_path / "cache")} == set(image_bytes(tmp_path / "output"))
    assert len(load(folder, tmp_path / "hf")) == 40


def test_hub_reads_the_card(tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="the card is read by the library of the Hub")
    card = hub.DatasetCard.load(exported(tmp_path, "imagefolder", [{NAME: 1, "date": "1923-03-03"}]) / "README.md")
    data = card.data.to_dict()
    assert (data["license"], data["license_name"]) == ("other", "rights-of-the-publishers")
    assert data["size_categories"] == ["n<1K"]
    assert [feature["name"] for feature in data["dataset_info"]["features"]][:3] == ["image", NAME, "date"]
    assert data["dataset_info"]["splits"][0]["num_examples"] == 1
