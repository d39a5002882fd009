"""Start the server and the clients, and measure what each client costs.

This module and its imports stay small: a process starts with the peak memory of its parent, so that no client could be
measured as smaller than this process.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent


def environment(**changes: str) -> dict[str, str]:
    """Return the caller's environment without proxies and without Scrapy settings."""
    unwanted = ("_proxy", "xdg_config_home", "pythonpath", "scrapy_settings_module")
    inherited = {name: value for name, value in os.environ.items() if not name.lower().endswith(unwanted)}
    return {**inherited, **changes}


def python(script: str, *arguments: str) -> list[str]:
    return [sys.executable, str(HERE / script), *arguments]


@dataclass
class Result:
    """What one run of a client cost, and how many covers it stored."""

    wall: float  # seconds, from the start of the process to its end
    cpu: float  # seconds, of the user's and the system's
    system: float  # seconds of these in the system, for files and sockets
    memory: int  # bytes, the peak of the process and the peaks of its children
    status: int
    first_request: float | None = None  # seconds from the start of the process until the server received it
    requests: int = 0
    most: int = 0  # requests in flight at one host at the same time
    covers: int = 0


@dataclass
class Server:
    """The server that all clients are measured with."""

    address: str
    versions: dict[str, str]

    def reset(self, latency: float = 0, in_flight: int = 0) -> None:
        """Count from 0, with a latency in seconds and a limit of requests in flight for each host (0 is none)."""
        self._get(f"/benchmark/reset?latency={latency}&in_flight={in_flight}")

    def counters(self) -> dict[str, Any]:
        return self._get("/benchmark/counters")

    def _get(self, path: str) -> dict[str, Any]:
        # By hand, because http.client would add half of the memory that this process needs without it.
        host, _, port = self.address.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        return json.loads(answer.partition(b"\r\n\r\n")[2])


@contextmanager
def serving(issues: int, tiny: bool = False) -> Iterator[Server]:
    """Start the server for the duration of the context. If this process is killed, the server ends by itself."""
    arguments = ["--issues", str(issues), *(["--tiny"] if tiny else [])]
    with subprocess.Popen(
        python("archive.py", *arguments),
        env=environment(PYTHONPATH=str(PROJECT)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the client and this process
    ) as process:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise RuntimeError("the benchmark's server did not start")
        yield Server(**json.loads(line))


@contextmanager
def _watching(pid: int) -> Iterator[dict[int, int]]:
    """Give the peak memory in bytes of each child of a process by its PID, read ten times a second.

    Without /proc, there are no children in it.
    """
    peaks: dict[int, int] = {}
    over = Event()

    def watch() -> None:
        while not over.wait(0.1):
            with suppress(OSError):  # the child has ended
                for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                    _, _, after = Path(f"/proc/{child}/status").read_text().partition("VmHWM:")
                    now = int((after or "0").split()[0]) * 1024  # an ended child that is still listed has no VmHWM
                    peaks[int(child)] = max(now, peaks.get(int(child), 0))

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        over.set()
        watcher.join()


def run(command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> Result:
    """Run a command in a folder, write its output to files there, and measure what it costs."""
    with (folder / "stdout").open("wb") as output, (folder / "stderr").open("wb") as errors:
        started = time.monotonic()
        process = subprocess.Popen(
            command, cwd=folder, env=environment(**variables), stdin=subprocess.DEVNULL, stdout=output, stderr=errors
        )
        with _watching(process.pid) as children:
            try:
                _, status, usage = os.wait4(process.pid, 0)
            except BaseException:
                process.kill()
                process.wait()
                raise
            wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)  # because os.wait4 has reaped it, not Popen
    # Linux gives kilobytes, macOS bytes.
    memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) + sum(children.values())
    return Result(wall, usage.ru_utime + usage.ru_stime, usage.ru_stime, memory, process.returncode)


def count_covers(folder: Path) -> int:
    done = subprocess.run(python("counting.py", str(folder)), stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout)


def crawl(
    command: Sequence[str],
    folder: Path,
    variables: Mapping[str, str],
    server: Server,
    latency: float = 0,
    in_flight: int = 0,
) -> Result:
    """Run a client, and add what the server counted. Covers are not counted yet."""
    server.reset(latency, in_flight)
    started = time.monotonic()  # the same clock as the server's, on one machine
    result = run(command, folder, variables)
    seen = server.counters()
    result.first_request = None if seen["first"] is None else seen["first"] - started
    result.requests = sum(seen["requests"].values())
    result.most = max(seen["most"].values(), default=0)
    return result
