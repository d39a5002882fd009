"""Which rows and columns an export has."""

from pathlib import Path
from typing import Any

import pytest
from items_dataset import drawing, store_items
from sample_dataset import TIME

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.rows import Fields, Record
from timecoverspider.exports.formats.table import Row, Table

OWN = ["image_url", "page_url", "checksum"]


def read(folder: Path, items: list[dict[str, Any]], **more: Any) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Return the type of each column, and the values of each row."""
    store_items(folder, items, **more)
    with Dataset(folder) as dataset:
        table = Table(dataset)
        kinds = {column.name: column.kind for column in table.columns if column.name not in OWN}
        return kinds, [{name: row.values[name] for name in kinds} for row in table]


@pytest.mark.parametrize(
    ("values", "kind", "exported"),
    [
        (["a", "b"], "string", ["a", "b"]),
        ([1, 2], "int64", [1, 2]),
        ([1, 2.5], "float64", [1.0, 2.5]),
        ([True, False], "bool", [True, False]),
        ([True, 1], "string", ["true", "1"]),
        (["a", 1], "string", ["a", "1"]),
        ([None, None], "string", [None, None]),
        ([None, 3], "int64", [None, 3]),
        ([float("nan"), 0.5], "float64", [None, 0.5]),
        ([2**63, 1], "string", [str(2**63), "1"]),
        (["1923-03-03", "1924-01-01"], "string", ["1923-03-03", "1924-01-01"]),  # it is not the date field
    ],
)
def test_column_has_one_type_that_all_values_have(tmp_path: Path, values: list[Any], kind: str, exported: Any) -> None:
    kinds, rows = read(tmp_path, [{"x": value} for value in values])
    assert kinds == {"x": kind}
    assert [row["x"] for row in rows] == exported


def test_date_field_is_a_date_if_all_values_are(tmp_path: Path) -> None:
    kinds, rows = read(tmp_path / "all", [{"pubDate": "2014-03-10"}, {"pubDate": None}, {"pubDate": "1923-03-03"}])
    assert kinds == {"pubDate": "date32"}
    assert [row["pubDate"] for row in rows] == ["1923-03-03", "2014-03-10", None]
    kinds, _ = read(tmp_path / "some", [{"pubDate": "2014-03-10"}, {"pubDate": "1923-03"}])
    assert kinds == {"pubDate": "string"}
    kinds, _ = read(tmp_path / "own", [{"day": "2014-03-10", "pubDate": "x"}], fields=Fields(date="day"))
    assert kinds == {"day": "date32", "pubDate": "string"}


def test_lists_objects_and_the_fields_of_the_images_are_no_columns(tmp_path: Path) -> None:
    items = [{"a": [1], "b": {"c": 1}, "d": 1, "e": 1}, {"a": 2, "e": 2}]
    kinds, rows = read(tmp_path, items, fields=Fields(urls="pictures", files="kept"))
    assert kinds == {"d": "int64", "e": "int64"}
    assert [row["d"] for row in rows] == [1, None]
    with Dataset(tmp_path) as dataset:
        assert Table(dataset).left_out == ["a", "b"]


def test_field_with_a_name_that_a_reader_uses_gets_another_name(tmp_path: Path) -> None:
    item = {"image": "a", "image_": "b", "file_name": "c", "cover_file_name": "d", "checksum": "e"}
    _, [row] = read(tmp_path, [item])
    assert row == {"image_": "a", "image__": "b", "file_name_": "c", "cover_file_name_": "d", "checksum_": "e"}


def test_image_of_several_records_is_one_row(tmp_path: Path) -> None:
    store_items(tmp_path, [{"title": "one"}])
    with Dataset(tmp_path, write=True, archive="live") as dataset:
        [record] = dataset.records()
        other = {**record.item, "title": "other"}
        dataset.catalog.save(records=[Record("other", other, "http://shop.example/x", TIME, TIME, record.images)])
        assert dataset.catalog.count() == 2
        assert Table(dataset).count == 1


def test_rows_are_in_the_order_of_the_dates(tmp_path: Path) -> None:
    _, rows = read(tmp_path, [{"date": date} for date in ("2014-03-10", "", "1923", "1923-03-03")])
    assert [row["date"] for row in rows] == ["1923", "1923-03-03", "2014-03-10", ""]


@pytest.mark.parametrize(
    ("path", "file_name", "key"),
    [
        ("full/0a-b_C.jpg", "full/0a-b_C.jpg", "0a-b_C"),
        ("full/a.PNG", "full/a.PNG", None),
        ("full/a.b.jpg", None, None),
        ("full/a/b.jpg", None, None),
        ("full/../../x.jpg", None, None),
        ("full/a.aspx", None, None),
        (f"full/{'a' * 90}.jpg", f"full/{'a' * 90}.jpg", None),
    ],
)
def test_names_are_those_of_the_data_set_if_readers_can_use_them(
    path: str, file_name: str | None, key: str | None
) -> None:
    row = Row(path, "", 0, "", "", {})
    digest = Row(f"{path}.", "", 0, "", "", {})
    assert row.key == key if key else len(row.key) == 40
    assert row.file_name == file_name if file_name else row.file_name.startswith("full/") and "." in row.file_name
    assert "." not in row.key
    assert ".." not in row.file_name
    assert row.key != digest.key


def test_drawings_are_counted_by_the_host_of_the_image(tmp_path: Path) -> None:
    store_items(tmp_path, [{}, {}], [drawing(1), drawing(2)])
    with Dataset(tmp_path) as dataset:
        assert Table(dataset, {"shop.example"}).drawn == 2
        assert Table(dataset, {"example"}).drawn == 0
