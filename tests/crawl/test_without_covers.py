"""The project without the cover spider, its item, its dates and the replica is a project for other spiders."""

import shutil
from pathlib import Path

import pytest
from book_site import URL, BookSite
from scrapy_command import PROJECT, run_program, scrapy_command
from serving import serving

_COVERS = ["spiders/coverspider.py", "items.py", "dates.py", "replica"]
_PACE = ["-s", "DOWNLOAD_DELAY=0", "-s", "AUTOTHROTTLE_ENABLED=0"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project without what belongs to the covers alone."""
    ignored = shutil.ignore_patterns("__pycache__", "output", ".*")
    for name in ("timecoverspider", "tests"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=ignored)
    for name in ("pyproject.toml", "scrapy.cfg"):
        shutil.copy(PROJECT / name, tmp_path)
    for name in _COVERS:
        place = tmp_path / "timecoverspider" / name
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    return tmp_path


@pytest.mark.slow
def test_tests_of_books_pass_without_the_cover_spider(project: Path) -> None:
    tests = ["tests/spiders/test_bookspider.py", "tests/crawl/test_books.py", "tests/commands/test_genspider.py"]
    command = [*scrapy_command()[:2], "pytest", "-n", "0", "-q", *tests]
    done = run_program(*command, cwd=project, PYTHONPATH=str(project))
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_spider_that_genspider_writes_is_crawled_without_the_cover_spider(project: Path) -> None:
    def scrapy(*arguments: str) -> None:
        done = run_program(*scrapy_command(*arguments), cwd=project, PYTHONPATH=str(project), http_proxy=address)
        assert done.returncode == 0, done.stderr

    with serving(BookSite(25).app) as address:
        scrapy("genspider", "-t", "covers", "books2", URL)
        assert (project / "timecoverspider" / "spiders" / "books2.py").exists()
        scrapy("crawl", "books2", "-o", "books2.json", *_PACE)
        scrapy("check", "books2")
    assert len(list((project / "output" / "books2" / "full").iterdir())) == 25
    scrapy("verify", "books2")
