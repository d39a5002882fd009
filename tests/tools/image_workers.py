"""The processes that store images: find them, use one, wait for its end."""

import asyncio
import os
import select
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from timecoverspider.dataset import image_store_worker
from timecoverspider.dataset.image_store import ImageStore

T = TypeVar("T")


def workers(pid: int) -> list[int]:
    """Return the processes that a process has started to store images."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    name = image_store_worker.__name__.encode()
    return [int(child) for child in children if name in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")]


def own_worker() -> int:
    [pid] = workers(os.getpid())
    return pid


def use_store(folder: Path, work: Callable[[ImageStore], Awaitable[T]], lock: int | None = None) -> T:
    """Let an image store do some work, and close it."""

    async def run() -> T:
        store = ImageStore(folder, lock=lock)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def wait_for_end_of(pid: int) -> None:
    """Wait until a process has ended. Fails if this takes 30 s."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([descriptor], [], [], 30)[0]
    os.close(descriptor)


def peak_memory(pid: int) -> int:
    """Return the most bytes of memory that a process has had until now, or 0 if it has ended."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
