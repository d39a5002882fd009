"""Item pipelines of the user, beside the one that stores images."""

from pathlib import Path

from data_set import records
from mock_archive import DAYS, MockArchive
from other_spiders import crawl
from scrapy_command import last_line

PIPELINES = """
class Add:
    def process_item(self, item):
        return {**item, "decade": item["pubDate"][:3] + "0s"}

class Drop:
    def process_item(self, item):
        if item["pubDate"].startswith("2014"):
            raise DropItem("too young")
        return item
"""


def with_pipelines(**orders: int) -> list[str]:
    pipelines = ", ".join(f'"{name}": {order}' for name, order in orders.items())
    return ["-s", f"ITEM_PIPELINES={{{pipelines}}}".replace("ours", "timecoverspider.pipelines.ImageStorePipeline")]


def test_item_is_published_as_it_leaves_the_last_pipeline(tmp_path: Path) -> None:
    arguments = with_pipelines(ours=1, **{"shapes.Add": 300})
    for days in (DAYS[1:], DAYS):
        done = crawl(tmp_path, MockArchive(days), f"    pass\n{PIPELINES}", *arguments)
        assert done.returncode == 0, done.stderr
        assert [list(record) for record in records(tmp_path)] == [
            ["title", "pubDate", "file_urls", "files", "decade"]
        ] * len(days)
    assert records(tmp_path)[0]["decade"] == "2010s"


def test_item_that_a_pipeline_of_the_user_drops_has_not_failed(tmp_path: Path) -> None:
    done = crawl(tmp_path, MockArchive(), f"    pass\n{PIPELINES}", *with_pipelines(ours=1, **{"shapes.Drop": 300}))
    assert done.returncode == 0, done.stderr
    assert {record["pubDate"][:4] for record in records(tmp_path)} == {"2013"}
    assert "Dropped: too young" in done.stderr


def test_pipelines_without_the_one_that_stores_images_are_refused_in_one_line(tmp_path: Path) -> None:
    archive = MockArchive()
    done = crawl(tmp_path, archive, f"    pass\n{PIPELINES}", *with_pipelines(**{"shapes.Add": 300}))
    assert done.returncode == 2
    assert "ITEM_PIPELINES must contain timecoverspider.pipelines.ImageStorePipeline" in last_line(done)
    assert "Traceback" not in done.stderr
    assert not archive.requests
