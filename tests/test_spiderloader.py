"""How the spiders of a project are found."""

import sys
from pathlib import Path

import pytest
from own_project import AnySite, OwnProject
from scrapy.settings import Settings
from shapes import A, page, tags

from timecoverspider.spiderloader import StrictSpiderLoader


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an empty package *loaded_spiders*."""
    folder = tmp_path / "loaded_spiders"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "loaded_spiders"]:
        monkeypatch.delitem(sys.modules, name)
    return folder


def load() -> StrictSpiderLoader:
    loader = StrictSpiderLoader(Settings({"SPIDER_MODULES": ["loaded_spiders"]}))
    for name in [name for name in sys.modules if name.partition(".")[0] == "loaded_spiders"]:
        del sys.modules[name]
    return loader


def write(folder: Path, file: str, name: str, before: str = "") -> None:
    source = f'import scrapy\n{before}\n\nclass Any(scrapy.Spider):\n    name = "{name}"\n'
    (folder / file).write_text(source)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module' (line 2)"),
        ("x = 1 / 0", "ZeroDivisionError: division by zero (line 2)"),
        ("def broken(:", "SyntaxError: invalid syntax (bad.py, line 2) (line 2)"),
    ],
)
def test_file_that_cannot_be_imported_is_one_line_and_the_others_are_loaded(
    module: Path, caplog: pytest.LogCaptureFixture, before: str, reason: str
) -> None:
    write(module, "bad.py", "bad", before)
    write(module, "good.py", "good")  # after it in the alphabet
    loader = load()
    assert loader.list() == ["good"]
    assert loader.failed == {"loaded_spiders.bad": reason}
    [record] = caplog.records
    assert (record.levelname, record.exc_info) == ("ERROR", None)
    assert f"loaded_spiders.bad: {reason}" in record.getMessage()


def test_package_below_the_spiders_is_loaded_too(module: Path) -> None:
    (module / "shops").mkdir()
    (module / "shops" / "__init__.py").touch()
    write(module / "shops", "one.py", "one")
    assert load().list() == ["one"]


def test_two_spiders_of_one_name_are_one_line_and_exit_status_2(
    module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(module, "one.py", "twin")
    write(module, "two.py", "twin")
    with pytest.raises(SystemExit) as raised:
        load()
    assert raised.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line == (
        "scrapy: error: two spiders have the name 'twin': loaded_spiders.one.Any and loaded_spiders.two.Any"
    )


def test_spider_is_crawled_beside_a_file_that_cannot_be_imported(tmp_path: Path) -> None:
    source = f"""
class Good(Spider):
    name = "good"
    start_urls = ["{A}/"]

    def parse(self, response):
        yield {{"file_urls": [response.urljoin(response.css("img").attrib["src"])]}}
"""
    project = OwnProject(tmp_path, source)
    project.write("import no_such_module", "aaa.py")
    done = project.crawl("good", AnySite({f"{A}/": page(tags("/1.jpg"))}))
    assert done.returncode == 0, done.stderr
    assert len([line for line in done.stderr.splitlines() if "no_such_module" in line]) == 1
    assert "Traceback" not in done.stderr
    done = project.scrapy("crawl", "aaa")
    assert done.returncode == 2
    assert "there is no spider 'aaa'" in done.stderr
