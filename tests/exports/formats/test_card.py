"""What the data set card and croissant.json say."""

import json
from pathlib import Path
from typing import Any

import pytest
from items_dataset import covers, croissant, store_items

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.exports.formats.about import DRAWN
from timecoverspider.exports.formats.export import export

HOSTILE = "# a` <img src=x onerror=alert(1)> `b | [a](javascript:b)\n---\nlicense: mit"


def documents(folder: Path, items: list[dict[str, Any]], drawn: set[str] | None = None, **more: Any) -> tuple[str, Any]:
    """Export a data set, and return its card and its croissant.json."""
    store_items(folder / "output", items, **more)
    with Dataset(folder / "output") as dataset:
        export(dataset, "imagefolder", folder / "out", drawn_hosts=drawn or set())
    return (folder / "out" / "README.md").read_text(), croissant(folder / "out")


def front_matter(card: str) -> list[str]:
    """Return the lines of the YAML, which the Hub reads."""
    return card.split("---\n", 2)[1].splitlines()


def test_card_has_counts_dates_source_and_failures(tmp_path: Path) -> None:
    items = [{"date": "1923-03-03", "tags": ["a"]}, {"date": "2014-03-10", "n": 1}, {"date": ""}]
    card, described = documents(tmp_path, items, failures={"http://shop.example/9": "HTTP 404"})
    assert "| images | 3 |" in card
    assert "| dates | 1923-03-03 to 2014-03-10 |" in card
    assert "| images without a date | 1 |" in card
    assert "1920s 1, 2010s 1." in card
    assert "- `http://shop.example/9`: `HTTP 404`" in card
    assert "not exported: `tags`." in card
    assert "publishers'" in card
    assert DRAWN not in card
    size = sum(path.stat().st_size for path in (tmp_path / "out").rglob("*.j*") if path.name != "croissant.json")
    assert f"  download_size: {size}" in front_matter(card)
    assert described["url"] == "http://shop.example/"
    assert described["license"]["@type"] == "sc:CreativeWork"
    assert "1." in described["rai:dataCollectionMissingData"]
    assert described["prov:wasGeneratedBy"][0]["prov:endedAtTime"] == described["rai:dataCollectionTimeframe"][1]


def test_drawings_are_called_drawings(tmp_path: Path) -> None:
    card, described = documents(tmp_path, covers(2), {"shop.example"}, archive="replica")
    assert card.count(DRAWN) == 2
    assert "publishers'" not in card
    assert "license: mit" in front_matter(card)
    assert described["license"] == "https://spdx.org/licenses/MIT"
    assert DRAWN in described["description"]


def test_text_of_the_site_is_no_markup(tmp_path: Path) -> None:
    items = [{HOSTILE: 1, f"{HOSTILE}2": [1]}]
    card, described = documents(tmp_path, items, failures={f"http://x/{HOSTILE}": HOSTILE})
    assert [line for line in front_matter(card) if line.startswith("license:")] == ["license: other"]
    assert f"  - name: {json.dumps(HOSTILE)}" in front_matter(card)
    body = card.split("---\n", 2)[2]
    lines = [line for line in body.splitlines() if "onerror" in line]
    assert len(lines) == 3
    for line in lines:
        assert all("onerror" not in part for part in line.split("`")[::2])
    assert any(field["name"] == HOSTILE for field in described["recordSet"][0]["field"])


def test_long_list_of_failures_is_cut_and_counted(tmp_path: Path) -> None:
    card, _ = documents(tmp_path, covers(1), failures={f"http://x/{n}": "HTTP 404" for n in range(1_060)})
    assert card.count("HTTP 404") == 50
    assert "and 1,010 more pages" in card


@pytest.mark.parametrize("crawls", [0, 5])
def test_only_crawls_that_stored_something_and_the_last_are_listed(tmp_path: Path, crawls: int) -> None:
    store_items(tmp_path / "output", covers(1))
    for _ in range(crawls):
        store_items(tmp_path / "output", [])
    card, described = documents(tmp_path, [])
    activities = [activity["@id"] for activity in described["prov:wasGeneratedBy"]]
    assert activities == ["crawl-1", f"crawl-{crawls + 2}"]
    assert card.count("\n- Crawl ") == 2
