"""Which feeds ``scrapy verify [SPIDER] [FEED]`` compares with the catalog."""

import shutil
from pathlib import Path

import pytest
from own_project import AnySite, OwnProject
from scrapy_command import SPIDER, Done, run_scrapy
from shapes import A, page, tags

SOURCE = f"""
class Ay(Spider):
    name = "ay"
    start_urls = ["{A}/"]

    def parse(self, response):
        for image in response.css("img::attr(src)").getall():
            yield {{"file_urls": [response.urljoin(image)]}}
"""
SITE = {f"{A}/": page(tags("/1.jpg", "/2.jpg"))}


@pytest.fixture
def project(tmp_path: Path) -> OwnProject:
    """A project whose spider *ay* has stored two records."""
    project = OwnProject(tmp_path, SOURCE)
    done = project.crawl("ay", AnySite(dict(SITE)), "-o", "ay.jsonl", "-o", "ay.csv")
    assert done.returncode == 0, done.stderr
    return project


def test_all_feeds_that_the_data_set_was_written_to_are_compared(project: OwnProject) -> None:
    done = project.scrapy("verify", "ay")
    assert (done.returncode, done.stdout) == (0, "2 records in output/ay and ay.json and ay.jsonl: no problems.\n")
    for name, content in (("ay.json", "[]"), ("ay.jsonl", "")):
        (project.folder / name).write_text(content)
    done = project.scrapy("verify", "ay")
    assert done.returncode == 3
    assert done.stdout.count("not in the feed") == 4
    (project.folder / "ay.jsonl").unlink()
    assert project.scrapy("verify", "ay").stdout.count("not in the feed") == 2


@pytest.mark.parametrize("order", [1, -1])
def test_feed_that_is_named_is_compared_alone(project: OwnProject, order: int) -> None:
    (project.folder / "ay.json").write_text("[]")
    done = project.scrapy("verify", *["ay", "ay.jsonl"][::order])
    assert (done.returncode, done.stdout) == (0, "2 records in output/ay and ay.jsonl: no problems.\n")


def test_repair_writes_every_feed_again(project: OwnProject) -> None:
    before = {name: (project.folder / name).read_bytes() for name in ("ay.json", "ay.jsonl")}
    for name in before:
        (project.folder / name).write_text("")
    site = AnySite(dict(SITE))
    done = project.served(site, "verify", "--repair", "ay")
    assert done.returncode == 0, done.stderr
    assert not site.requests
    assert {name: (project.folder / name).read_bytes() for name in before} == before


@pytest.mark.parametrize("name", ["bee", "gallery", "../ay"])
def test_spider_without_a_data_set_is_refused_in_one_line(project: OwnProject, name: str) -> None:
    done = project.scrapy("verify", name)
    assert done.returncode in (1, 2)
    assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def verify(folder: Path, *arguments: str) -> Done:
    store = f"FILES_STORE={folder / 'output'}"
    return run_scrapy("verify", "-s", store, *arguments, cwd=folder, http_proxy="http://127.0.0.1:9")


def test_cover_spider_is_verified_if_no_spider_is_named(folder: Path) -> None:
    closing = "40 covers in output and output.json: no problems.\n"
    assert verify(folder).stdout == verify(folder, SPIDER).stdout == closing


def test_copied_data_set_is_compared_with_the_feed_beside_it_and_not_with_the_original(tmp_path: Path) -> None:
    original, copy = OwnProject(tmp_path / "a", SOURCE.replace('"ay"', f'"{SPIDER}"')), tmp_path / "b"
    original.settings(SPIDER_MODULES=["own_spiders"])
    done = original.crawl(SPIDER, AnySite(dict(SITE)), "-o", "output.json")
    assert done.returncode == 0, done.stderr
    shutil.copytree(original.folder, copy)
    (copy / "output.json").write_text("[]")
    before = (original.folder / "output.json").read_bytes()
    done = verify(copy)
    assert (done.returncode, done.stdout.count("not in the feed")) == (3, 2)
    assert done.stdout.splitlines()[-1].startswith("2 covers in output and output.json: ")
    assert (original.folder / "output.json").read_bytes() == before
