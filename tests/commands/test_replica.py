"""``scrapy replica``: the archive for any client, until Ctrl-C."""

import json
import signal
import subprocess
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf, nan
from pathlib import Path
from time import monotonic
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest
from mock_archive import INDEX
from scrapy.exceptions import UsageError
from scrapy_command import PROJECT, environment, run_scrapy, scrapy_command
from serving import serving

from timecoverspider.commands.replica import Command
from timecoverspider.replica.app import make_app


@contextmanager
def replica(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str, str]]:
    """Start the command, and give its process, the address and the first line of output."""
    command = scrapy_command("replica", *arguments)
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            yield process, next(word for word in line.split() if word.startswith("http://127.0.0.1:")), line
        finally:
            process.kill()


def test_replica_serves_as_many_issues_as_late_as_it_is_told_until_it_is_interrupted() -> None:
    with replica("--issues", "20", "--latency", "150") as (process, address, greeting):
        assert "20" in greeting
        started = monotonic()
        with build_opener(ProxyHandler({"http": address})).open(INDEX, timeout=10) as response:
            assert b"TIME U.S. (20)" in response.read()
        assert monotonic() - started >= 0.15
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_replica_with_faults_misbehaves_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"rules": [{"fault": "status", "url": "results", "status": 418}]}))
    with replica("--issues", "20", "--faults", str(file)) as (process, address, _):
        with pytest.raises(HTTPError, match="418") as raised:
            build_opener(ProxyHandler({"http": address})).open(INDEX, timeout=10)
        raised.value.close()
        process.send_signal(signal.SIGINT)
        assert process.stdout
        assert str(file) in process.stdout.read()
        assert process.wait(10) == 0


def run(*arguments: str, **options: object) -> None:
    Command().run(list(arguments), Namespace(**{"issues": None, "latency": 0, "port": 0, "faults": None, **options}))


@pytest.mark.parametrize(
    "options",
    [
        {"issues": 0},
        {"issues": 800_000},
        {"issues": 10**30},
        {"port": 70_000},
        {"port": -1},
        {"latency": -1},
        {"latency": nan},
        {"latency": inf},
    ],
)
def test_options_out_of_range_are_wrong_usage(options: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        run(**options)


def test_argument_is_wrong_usage() -> None:
    with pytest.raises(UsageError):
        run("x")


def test_file_of_faults_that_is_invalid_is_one_line(tmp_path: Path) -> None:
    done = run_scrapy("replica", "--faults", str(tmp_path / "none.json"), cwd=PROJECT)
    assert done.returncode == 2
    assert len([line for line in done.stderr.splitlines() if str(tmp_path / "none.json") in line]) == 1
    assert "Traceback" not in done.stderr


def test_port_that_is_taken_is_one_line() -> None:
    with serving(make_app()) as address:
        port = address.rpartition(":")[2]
        done = run_scrapy("replica", "--port", port, cwd=PROJECT)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert port in line
