"""The documents are true: files, settings and commands exist, examples give the output that is shown."""

import json
import re
import shlex
from collections.abc import Iterator
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pytest
from covers_image import COVERS_IMAGE, covers_image
from mock_archive import DAYS, MockArchive, serving
from PIL import Image, ImageChops, ImageStat
from scrapy.settings import default_settings
from scrapy_command import FULL_SPEED, PROJECT, last_line, run_program, run_scrapy, scrapy_command

import timecoverspider
from timecoverspider import settings
from timecoverspider.replica.app import make_app
from timecoverspider.replica.faults import Faults

PACKAGE = PROJECT / "timecoverspider"
DOCUMENTS = [
    PROJECT / "README.md",
    PACKAGE / "README.md",
    PACKAGE / "replica" / "README.md",
    PROJECT / "tests" / "benchmarks" / "README.md",
    PROJECT / ".github" / "CONTRIBUTING.md",
    PROJECT / ".github" / "CHANGELOG.md",
]
README = DOCUMENTS[0].read_text(encoding="utf-8")


def blocks(language: str, text: str = README) -> list[str]:
    """Return the code blocks of a language."""
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return found


def quoted(text: str) -> set[str]:
    """Return what stands between backticks outside of code blocks."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)))


def named_files() -> Iterator[tuple[Path, str]]:
    """Yield each file or folder that a document names, with the document."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for name in quoted(text):
            is_path = re.fullmatch(r"(?:[\w.-]+/)*[\w.-]+\.(?:py|txt|md|png|toml|yaml)|(?:[\w.-]+/)+", name)
            if is_path and not name.startswith("output/"):  # what a crawl makes
                yield document, name
        for link in re.findall(r"\]\(((?!http)[^)#]+)", text):
            yield document, link


def test_ci_runs_the_test_line_of_the_readme() -> None:
    [line] = [line for block in blocks("sh") for line in block.splitlines() if "pytest" in line]
    assert line in (PROJECT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(("document", "name"), sorted(named_files()), ids=str)
def test_file_in_a_document_exists(document: Path, name: str) -> None:
    assert any((root / name).exists() for root in (document.parent, PROJECT, PACKAGE))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_setting_in_a_document_exists(document: Path) -> None:
    names = set(re.findall(r"(?:`|-s )([A-Z]+(?:_[A-Z]+)+)\b", document.read_text(encoding="utf-8")))
    unknown = {name for name in names if not hasattr(settings, name) and not hasattr(default_settings, name)}
    assert unknown <= {"DATASET_ENABLED"}  # set by the command


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_command_in_a_document_exists(document: Path, tmp_path: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for name in set(re.findall(r"(?:`|/)scrapy (\w+)", text)):
        done = run_scrapy(name, "--help", cwd=tmp_path)
        assert done.returncode == 0, name
        usage = done.stdout
        for line in re.findall(rf"scrapy {name}( [^`\n]*)", text):
            options = re.findall(r"(?<= )--[a-z-]+", line)
            assert [option for option in options if option not in usage] == []


def test_table_of_settings_has_the_defaults() -> None:
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| \w+ \| `?([^|`]*)`? \|", DOCUMENTS[1].read_text(encoding="utf-8"), re.MULTILINE
    )
    shown = {name: default.strip().strip('"') for name, default in rows}
    shown.pop("DATASET_ENABLED")
    assert shown.pop("FILES_STORE") == f"{Path(settings.FILES_STORE).name}/"
    assert shown == {name: str(getattr(settings, name)) for name in shown}
    ours = {name for name in dir(settings) if name.isupper() and not hasattr(default_settings, name)}
    assert ours - {"COMMANDS_MODULE", "SPIDER_MODULES"} <= {*shown, "FILES_STORE"}


def test_package_readme_names_every_module() -> None:
    text = DOCUMENTS[1].read_text(encoding="utf-8")
    for path in PACKAGE.rglob("*.py"):
        module = path.relative_to(PACKAGE)
        assert path.name == "__init__.py" or f"`{module}`" in text or f"`{module.parts[0]}/`" in text, module


def test_shell_session_has_real_output(tmp_path: Path) -> None:
    [session] = blocks("console")
    command, *lines = session.splitlines()
    [url] = re.findall(r'scrapy shell "(.*)"', command)
    inputs = [line.removeprefix(">>> ") for line in lines if line.startswith(">>> ")]
    expected = [line for line in lines if not line.startswith(">>> ")]
    shell = scrapy_command("shell", "--nolog", url)
    done = run_program(*shell, cwd=tmp_path, stdin="\n".join(inputs) + "\n", SCRAPY_PYTHON_SHELL="python")
    shown = [line.replace(">>> ", "") for line in done.stdout.splitlines() if not line.startswith("[s]")]
    assert [line for line in shown if line] == expected


def test_record_is_one_that_a_crawl_yields(tmp_path: Path) -> None:
    [shown] = map(json.loads, blocks("json"))
    done = MockArchive([date.fromisoformat(shown["pubDate"])]).crawl(tmp_path)
    assert done.returncode == 0, done.stderr
    [record] = json.loads((tmp_path / "output.json").read_bytes())
    # Another version of Pillow may draw or compress the image in other bytes.
    assert len(shown["files"][0].pop("checksum")) == len(record["files"][0].pop("checksum"))
    assert shown == record


def test_first_lines_of_the_example_open_the_newest_record(folder: Path) -> None:
    [example] = blocks("python")
    lines = f"{example.partition('import pandas')[0]}\nprint(record['pubDate'])"
    done = run_program(*scrapy_command()[:1], "-c", lines, cwd=folder)
    assert done.stdout == f"{DAYS[0]}\n", done.stderr


@pytest.mark.slow
def test_example_opens_the_collection_with_each_library(folder: Path) -> None:
    for module in ("pandas", "datasets", "cv2"):
        if not find_spec(module):
            pytest.skip(f"{module} is not installed: pip install -r tests/requirements-slow.txt")
    [example] = blocks("python")
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "cache")}
    done = run_program(*scrapy_command()[:1], "-c", example, cwd=folder, **offline)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "pubDate",
        "201    40",
        "dtype: int64",
        f"(600, 790) {DAYS[0]} 00:00:00",
        "(790, 600, 3)",
    ]


def test_faults_of_the_readme_are_seen_in_the_crawl(tmp_path: Path) -> None:
    [script] = [block for block in blocks("sh") if "--faults" in block]
    written, serve, crawl = script.splitlines()
    (tmp_path / "faults.json").write_text(shlex.split(written)[1], encoding="utf-8")
    port = shlex.split(serve)[shlex.split(serve).index("--port") + 1]
    proxy, _, *arguments = shlex.split(crawl)
    assert proxy == f"http_proxy=http://127.0.0.1:{port}"
    assert set(FULL_SPEED) - {"RETRY_BACKOFF=0"} <= set(arguments)
    with serving(make_app(DAYS, faults=Faults.load(tmp_path / "faults.json"))) as address:
        done = run_scrapy(*arguments, "-s", "RETRY_BACKOFF=0", cwd=tmp_path, http_proxy=address)
    assert done.returncode == 3
    missing = sum(day.year == 2014 for day in DAYS)
    assert f"{missing} missing" in last_line(done)
    assert len(json.loads((tmp_path / "spoiled.json").read_bytes())) == len(DAYS) - missing


def test_covers_image_is_what_the_replica_draws() -> None:
    with Image.open(COVERS_IMAGE) as shown:
        difference = ImageStat.Stat(ImageChops.difference(shown.convert("RGB"), covers_image())).mean
    assert max(difference) < 4
    assert Path(COVERS_IMAGE).stat().st_size < 100_000


def test_changelog_begins_with_the_version() -> None:
    versions = re.findall(r"^## (\S+)", DOCUMENTS[-1].read_text(encoding="utf-8"), re.MULTILINE)
    assert versions[0] == timecoverspider.__version__
