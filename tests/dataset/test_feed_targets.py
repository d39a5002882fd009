"""A feed at a pipe or a device is written into it, and a folder is refused."""

import fcntl
import os
import select
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from timecoverspider.dataset.dataset import Dataset
from timecoverspider.dataset.feed_file import FeedFile
from timecoverspider.exceptions import FeedError, UsageError

_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ


@pytest.fixture
def dataset(tmp_path: Path) -> Iterator[Dataset]:
    with Dataset(tmp_path / "output", write=True, archive="live") as dataset:
        yield dataset


def publish(path: Path, dataset: Dataset, content: bytes = b"[1]") -> str:
    feed = FeedFile(path, dataset)
    feed.check()
    draft = feed.open()
    draft.write(content)
    return feed.publish(draft, 1, complete=True)


def wait_for_bytes(reader: int, length: int) -> bytes:
    """Read that many bytes from a pipe."""
    received = b""
    while len(received) < length:
        assert select.select([reader], [], [], 30)[0]
        received += (chunk := os.read(reader, length - len(received)))
        assert chunk, "the pipe was closed too soon"
    return received


def assert_nothing_else(folder: Path, *names: str) -> None:
    """Assert that no draft, no set-aside file and no owner is left, and that the catalog knows no feed."""
    assert {path.name for path in folder.iterdir()} == {"output", *names}
    with Dataset(folder / "output") as dataset:
        assert not list(dataset.layout.drafts.glob("*"))
        assert dataset.feeds() == []


def test_pipe_gets_the_whole_feed_and_stays_a_pipe(tmp_path: Path, dataset: Dataset) -> None:
    pipe, content, said = tmp_path / "pipe", b"[1]" * 100_000, []  # more than a pipe holds
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    thread = threading.Thread(target=lambda: said.append(publish(pipe, dataset, content)), daemon=True)
    thread.start()
    received = wait_for_bytes(reader, len(content))
    thread.join()
    os.close(reader)
    assert (received, said) == (content, [""])
    assert pipe.is_fifo()
    assert_nothing_else(tmp_path, "pipe")


def test_pipe_that_nobody_reads_is_an_error_and_stays(tmp_path: Path, dataset: Dataset) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FeedError, match="no process reads from the pipe"):
        publish(tmp_path / "pipe", dataset)
    assert (tmp_path / "pipe").is_fifo()
    assert_nothing_else(tmp_path, "pipe")


def test_pipe_whose_reader_leaves_is_an_error(tmp_path: Path, dataset: Dataset) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, _SET_PIPE_SIZE, 4096)
    errors: list[str] = []

    def write() -> None:
        try:
            publish(tmp_path / "pipe", dataset, b"x" * 100_000)
        except FeedError as error:
            errors.append(str(error))

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    wait_for_bytes(reader, 1)
    os.close(reader)
    thread.join()
    assert errors == ["Broken pipe"]


@pytest.mark.parametrize("is_link", [True, False])
def test_device_is_written_to_and_not_replaced(tmp_path: Path, dataset: Dataset, is_link: bool) -> None:
    (tmp_path / "link.json").symlink_to("/dev/null")
    assert publish(tmp_path / "link.json" if is_link else Path("/dev/null"), dataset) == ""
    assert Path("/dev/null").is_char_device()
    assert (tmp_path / "link.json").is_symlink()
    assert_nothing_else(tmp_path, "link.json")


def test_device_that_is_full_is_an_error(dataset: Dataset) -> None:
    with pytest.raises(FeedError, match="No space left on device"):
        publish(Path("/dev/full"), dataset)
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize("folder", ["/dev/fd", "/proc/self/fd"])
def test_file_that_the_shell_has_opened_is_written_to(tmp_path: Path, dataset: Dataset, folder: str) -> None:
    file = tmp_path / "covers.json"
    with file.open("wb") as opened:
        assert publish(Path(folder, str(opened.fileno())), dataset) == ""
    assert file.read_bytes() == b"[1]"
    assert_nothing_else(tmp_path, "covers.json")


def test_file_that_the_shell_has_opened_to_append_keeps_its_content(tmp_path: Path, dataset: Dataset) -> None:
    file = tmp_path / "covers.jsonl"
    file.write_bytes(b"mine\n")
    with file.open("ab") as opened:
        publish(Path(f"/dev/fd/{opened.fileno()}"), dataset)
    assert file.read_bytes() == b"mine\n[1]"


def test_folder_is_refused_and_stays(tmp_path: Path, dataset: Dataset) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    for name in ("folder", "link"):
        with pytest.raises(UsageError, match=f"{tmp_path / 'folder'}: it is a folder"):
            FeedFile(tmp_path / name, dataset).check()
    assert_nothing_else(tmp_path, "folder", "link")


def test_link_to_itself_is_refused(tmp_path: Path, dataset: Dataset) -> None:
    (tmp_path / "link.json").symlink_to("link.json")
    with pytest.raises(UsageError, match=r"link\.json"):
        FeedFile(tmp_path / "link.json", dataset)
