"""What the README says is so."""

import json
import re
from datetime import date
from pathlib import Path

import pytest
from conftest import PROJECT, Run, crawl_arguments, serving
from PIL import Image, ImageChops, ImageStat
from readme_picture import PICTURE, picture
from scrapy.settings import default_settings

from timecoverspider import settings
from timecoverspider.replica.app import make_app

README = (PROJECT / "README.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]


def test_ci_runs_the_readmes_test_line() -> None:
    [tests] = [line for line in COMMANDS if "pytest" in line]
    assert (PROJECT / ".ci" / "run").read_text().splitlines()[-1] == tests


def test_walk_through_has_real_output(scrapy: Run) -> None:
    [walk] = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    command, *lines = walk.splitlines()
    [url] = re.findall(r'scrapy shell "(.*)"', command)
    inputs = [line.removeprefix(">>> ") for line in lines if line.startswith(">>> ")]
    expected = [line for line in lines if not line.startswith(">>> ")]
    done = scrapy("shell", "--nolog", url, stdin="\n".join(inputs) + "\n", SCRAPY_PYTHON_SHELL="python")
    shown = [line.replace(">>> ", "") for line in done.stdout.splitlines() if not line.startswith("[s]")]
    assert [line for line in shown if line] == expected


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|json|txt)|\w+/)`", README))))
def test_files_that_the_readme_names_are_there(name: str) -> None:
    made_by_a_crawl = {"output.json"}
    assert name in made_by_a_crawl or any((root / name).exists() for root in (PROJECT, PROJECT / "timecoverspider"))


def test_settings_that_the_readme_names_exist() -> None:
    names = set(re.findall(r"`(?:-s )?([A-Z]+(?:_[A-Z]+)+)(?:=\w+)?`", README))
    assert {"CATALOG_URL", "AUDIT_EVERY_DAYS", "DOWNLOAD_DELAY"} <= names
    assert all(hasattr(settings, name) or hasattr(default_settings, name) for name in names)


def test_the_record_is_one_that_a_crawl_gives(scrapy: Run, tmp_path: Path) -> None:
    [shown] = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", README, re.DOTALL)]
    with serving(make_app([date.fromisoformat(shown["pubDate"])])) as address:
        assert scrapy(*crawl_arguments(tmp_path), http_proxy=address).returncode == 0
    [record] = json.loads((tmp_path / "output.json").read_bytes())
    # Another version of Pillow may draw or compress the picture in other bytes.
    assert len(shown["files"][0].pop("checksum")) == len(record["files"][0].pop("checksum"))
    assert shown == record


def test_every_module_is_in_the_readme() -> None:
    modules = {
        path.relative_to(PROJECT / "timecoverspider")
        for path in (PROJECT / "timecoverspider").rglob("*.py")
        if path.name != "__init__.py"
    }
    for path in modules:
        assert f"`{path}`" in README or f"`{path.parent}/`" in README, path


def test_the_picture_is_what_the_project_draws() -> None:
    with Image.open(PICTURE) as shown:
        difference = ImageStat.Stat(ImageChops.difference(shown.convert("RGB"), picture())).mean
    assert max(difference) < 4
    assert Path(PICTURE).stat().st_size < 100_000
