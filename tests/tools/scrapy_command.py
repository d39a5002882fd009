"""The scrapy command in a process of its own."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

PROJECT = Path(__file__).resolve().parent.parent.parent
SPIDER = "pyimagesearch-cover-spider"
# The live archive without its delays. The environment names a proxy: the test's own server.
FULL_SPEED = [
    *("-s", "ARCHIVE=live", "-s", "DOWNLOAD_DELAY=0", "-s", "AUTOTHROTTLE_ENABLED=False", "-s", "RETRY_BACKOFF=0")
]

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]

# Each command is a fork of a process that has imported the program: half the time of a crawl of 40 covers is imports.
_forkserver = multiprocessing.get_context("forkserver")
_forkserver.set_forkserver_preload(
    [
        "scrapy.cmdline",
        "timecoverspider.commands.verify",
        "timecoverspider.downloadhandlers",
        "timecoverspider.extensions.feedexport",
        "timecoverspider.extensions.shutdown",
        "timecoverspider.pipelines",
        "timecoverspider.replica.app",
        "timecoverspider.spidermiddlewares.incremental",
        "uvloop",
    ]
)


def environment(**changes: str) -> dict[str, str]:
    """Return an environment in which scrapy finds this project from any folder, and no proxy."""
    inherited = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**inherited, "PYTHONPATH": str(PROJECT), "SCRAPY_SETTINGS_MODULE": "timecoverspider.settings", **changes}


def crawl_arguments(folder: Path, feed: str = "output.json") -> list[str]:
    """Return the arguments of a crawl whose data set is in a folder of the test's."""
    return ["crawl", SPIDER, "-o", feed, "-s", f"FILES_STORE={folder / 'output'}", *FULL_SPEED]


def run_scrapy(*arguments: str, cwd: Path, **changes: str) -> Done:
    """Run scrapy in a fork, with changes to the environment."""
    with TemporaryDirectory() as name:
        outputs = Path(name, "stdout"), Path(name, "stderr")
        process = _forkserver.Process(target=_execute, args=(arguments, cwd, environment(**changes), outputs))
        process.start()
        process.join(300)
        if process.exitcode is None:
            process.kill()
            process.join()
        stdout, stderr = (output.read_text(encoding="utf-8") for output in outputs)
    assert process.exitcode is not None
    return subprocess.CompletedProcess(list(arguments), process.exitcode, stdout, stderr)


def _execute(arguments: tuple[str, ...], cwd: Path, variables: dict[str, str], outputs: tuple[Path, Path]) -> None:
    from scrapy.cmdline import execute  # noqa: PLC0415 (it is imported already)

    os.environ.clear()
    os.environ.update(variables)
    sys.path[:0] = variables["PYTHONPATH"].split(os.pathsep)
    os.chdir(cwd)
    for number, output in enumerate(outputs, 1):
        with output.open("wb") as file:
            os.dup2(file.fileno(), number)
    execute(["scrapy", *arguments])


def scrapy_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "scrapy", *arguments]


def run_program(*command: str, cwd: Path, stdin: str | None = None, **changes: str) -> Done:
    """Run a command in a new process."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment(**changes),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def start_crawl(folder: Path, address: str, *arguments: str) -> "subprocess.Popen[str]":
    """Start a crawl in a new process, through the proxy at that address."""
    command = scrapy_command(*crawl_arguments(folder), *arguments)
    return subprocess.Popen(command, cwd=folder, env=environment(http_proxy=address), stderr=subprocess.PIPE, text=True)


def last_line(done: Done) -> str:
    return done.stderr.splitlines()[-1]
