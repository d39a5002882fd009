"""An exception that says nothing about a page is a bug, and is reported as one."""

from pathlib import Path

import pytest
from data_set import feed
from mock_archive import DAYS, MockArchive
from other_spiders import crawl
from scrapy_command import SPIDER, last_line

READ = "    def parse_covers(self, response):\n        {}\n        yield {{}}\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (READ.format("titel"), "Aborted: NameError: name 'titel' is not defined (shapes.py, line 11)"),
        (READ.format("raise MemoryError"), "Aborted: MemoryError (shapes.py, line 11)"),
        (READ.format("response.cs('h1')"), "Aborted: AttributeError: 'HtmlResponse' object has no attribute 'cs' "),
        (READ.format("yield from self.parse_covers(response)"), "Aborted: RecursionError: "),
        ("    def parse(self, response):\n        yield titel\n", "Aborted: NameError: name 'titel' is not defined "),
    ],
)
def test_bug_of_a_spider_aborts_the_crawl_with_its_name_and_one_traceback(folder: Path, source: str, said: str) -> None:
    before, archive = feed(folder), MockArchive()
    done = crawl(folder, archive, source, "-a", "refresh=1", name=SPIDER)
    assert done.returncode == 1
    assert said in last_line(done)
    assert "layout" not in done.stderr
    assert done.stderr.count("Traceback") == 1
    assert feed(folder) == before


def test_bug_in_a_listing_keeps_what_was_stored_before(tmp_path: Path) -> None:
    source = (
        "    def parse_page(self, response):\n        yield from super().parse_page(response)\n        undefined_name\n"
    )
    done = crawl(tmp_path, MockArchive(DAYS[:15]), source)
    assert done.returncode == 1
    assert "Aborted: NameError: " in last_line(done)
    assert done.stderr.count("Traceback") == 1
    assert crawl(tmp_path, MockArchive(DAYS[:15]), "    pass").returncode == 0


@pytest.mark.parametrize("line", ["assert response.css('nope').get(), 'no nope'", "response.css('nope').get().strip()"])
def test_value_that_every_page_lacks_is_a_changed_layout(tmp_path: Path, line: str) -> None:
    done = crawl(tmp_path, MockArchive(DAYS[:15]), READ.format(line))
    assert done.returncode == 4
    assert "has their layout changed?" in last_line(done)
    assert "Traceback" not in done.stderr


def test_bug_in_the_start_of_a_spider_aborts_the_crawl(tmp_path: Path) -> None:
    done = crawl(tmp_path, MockArchive(DAYS[:3]), "    async def start(self):\n        titel\n        yield 1\n")
    assert done.returncode == 1
    assert "Aborted: NameError: name 'titel' is not defined (shapes.py, line 11)" in last_line(done)


def test_message_of_a_bug_is_one_line_that_controls_no_terminal(tmp_path: Path) -> None:
    source = READ.format("raise OSError('two\\nlines \\x1b[2J')")
    done = crawl(tmp_path, MockArchive(DAYS[:3]), source)
    assert done.returncode == 1
    assert r"Aborted: OSError: two\nlines \x1b[2J (shapes.py, line 11)" in last_line(done)


def test_bug_of_a_pipeline_aborts_the_crawl_with_its_name(tmp_path: Path) -> None:
    source = "    pass\n\nclass Broken:\n    def process_item(self, item):\n        return titel\n"
    pipelines = '{"timecoverspider.pipelines.ImageStorePipeline": 1, "shapes.Broken": 2}'
    done = crawl(tmp_path, MockArchive(DAYS[:15]), source, "-s", f"ITEM_PIPELINES={pipelines}")
    assert done.returncode == 1
    assert "Aborted: NameError: name 'titel' is not defined (shapes.py, line 14)" in last_line(done)
