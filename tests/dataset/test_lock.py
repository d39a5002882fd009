"""One process at a time writes to a data set, and one archive fills it."""

import gc
import os
from pathlib import Path

import pytest

from timecoverspider.dataset.lock import Lock, check_unlocked, claim
from timecoverspider.exceptions import DatasetError, DatasetLockedError


def test_lock_that_is_held_is_refused_and_names_the_holder(tmp_path: Path) -> None:
    lock = Lock(tmp_path / ".lock")
    for take in (Lock, check_unlocked):
        with pytest.raises(DatasetLockedError, match=f"process {os.getpid()} "):
            take(tmp_path / ".lock")
    lock.close()
    check_unlocked(tmp_path / ".lock")
    Lock(tmp_path / ".lock").close()


def test_lock_that_is_forgotten_is_released(tmp_path: Path) -> None:
    Lock(tmp_path / ".lock")
    gc.collect()
    Lock(tmp_path / ".lock").close()


def test_lock_left_by_a_killed_process_is_taken(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("process 4711 since 2014-03-10T00:00:00+00:00, which had a longer name")
    check_unlocked(tmp_path / ".lock")
    lock = Lock(tmp_path / ".lock")
    assert (tmp_path / ".lock").read_text().startswith(f"process {os.getpid()} since ")
    assert "4711" not in (tmp_path / ".lock").read_text()
    assert "longer" not in (tmp_path / ".lock").read_text()
    lock.close()


def test_check_makes_no_lock_file(tmp_path: Path) -> None:
    check_unlocked(tmp_path / ".lock")
    assert not list(tmp_path.iterdir())


def test_claim_of_the_same_archive_is_accepted(tmp_path: Path) -> None:
    for _ in range(2):
        claim(tmp_path / ".archive", "live")
    assert (tmp_path / ".archive").read_text() == "live\n"


def test_claim_of_another_archive_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    claim(tmp_path / ".archive", "live")
    with pytest.raises(DatasetError, match="ARCHIVE=live"):
        claim(tmp_path / ".archive", "replica")
    assert (tmp_path / ".archive").read_text() == "live\n"


def test_claim_of_a_process_that_was_killed_while_writing_is_made_again(tmp_path: Path) -> None:
    (tmp_path / ".archive").write_text("")
    claim(tmp_path / ".archive", "replica")
    assert (tmp_path / ".archive").read_text() == "replica\n"


def test_mark_of_random_bytes_is_another_archive_and_quoted_in_one_line(tmp_path: Path) -> None:
    mark = tmp_path / ".archive"
    mark.write_bytes(bytes(range(128, 256)) * 1000)
    with pytest.raises(DatasetError) as raised:
        claim(mark, "live")
    assert "not from live" in str(raised.value)
    assert len(str(raised.value)) < 1000
    assert "\n" not in str(raised.value)


def test_holder_that_is_not_utf_8_is_quoted(tmp_path: Path) -> None:
    lock = Lock(tmp_path / ".lock")
    (tmp_path / ".lock").write_bytes(b"\xff\xfe")
    for take in (Lock, check_unlocked):
        with pytest.raises(DatasetLockedError, match=r"in use by \\xff\\xfe$"):
            take(tmp_path / ".lock")
    lock.close()
