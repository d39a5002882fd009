"""Commands whose output is closed, or that are interrupted before they have begun."""

import os
import shlex
import signal
import subprocess
from pathlib import Path

import pytest
from data_set import records
from mock_archive import DAYS, MockArchive, serving
from scrapy_command import crawl_arguments, environment, run_program, scrapy_command

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("closed", ["2>&-", "0<&- 1>&- 2>&-"])
def test_crawl_without_standard_streams_stores_everything(tmp_path: Path, closed: str) -> None:
    command = shlex.join(scrapy_command(*crawl_arguments(tmp_path)))
    with serving(MockArchive(DAYS[:5]).app) as address:
        for _ in range(2):
            done = run_program("sh", "-c", f"{command} {closed}", cwd=tmp_path, http_proxy=address)
            assert (done.returncode, done.stderr) == (0, "")
    assert len(records(tmp_path)) == 5
    store = shlex.quote(f"FILES_STORE={tmp_path / 'output'}")
    verify = shlex.join(scrapy_command("verify", "-s"))
    assert run_program("sh", "-c", f"{verify} {store} {closed}", cwd=tmp_path).returncode == 0


# A module that interrupts the process when it is imported: between the command's module and the handler of a crawl.
_INTERRUPTED = """
import os, signal, sys
from importlib.abc import MetaPathFinder

class Finder(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == os.environ["AT"]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize("module", ["timecoverspider.commands.crawl", "timecoverspider.extensions.crawl_state"])
def test_crawl_that_is_interrupted_while_its_modules_are_loaded_is_one_line(tmp_path: Path, module: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(_INTERRUPTED)
    path = os.pathsep.join((str(tmp_path), environment()["PYTHONPATH"]))
    command = scrapy_command(*crawl_arguments(tmp_path))
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(PYTHONPATH=path, AT=module), capture_output=True, text=True, check=False
    )
    assert done.returncode == 128 + signal.SIGINT
    [line] = done.stderr.splitlines()
    assert "interrupted" in line
    assert not (tmp_path / "output.json").exists()


def test_signal_that_arrives_while_a_library_ignores_exceptions_ends_the_crawl(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(_INTERRUPTED)
    path = os.pathsep.join((str(tmp_path), environment()["PYTHONPATH"]))
    command = scrapy_command(*crawl_arguments(tmp_path), "-s", "CATALOG_URL=postgresql://127.0.0.1:9/covers")
    variables = environment(PYTHONPATH=path, AT="psycopg_c")  # psycopg tries it, and ignores why it cannot be imported
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 128 + signal.SIGINT
    assert "Not started: interrupted by SIGINT" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
