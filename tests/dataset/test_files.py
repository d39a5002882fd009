"""A file is written completely or not at all."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from timecoverspider.dataset.files import Revision, regular_size, set_aside, unused_path, write_atomically


def test_file_is_written_with_its_folders_and_no_draft_stays(tmp_path: Path) -> None:
    write_atomically(tmp_path / "full" / "a.jpg", b"new", tmp_path / "drafts")
    assert (tmp_path / "full" / "a.jpg").read_bytes() == b"new"
    assert not list((tmp_path / "drafts").iterdir())


def test_write_that_is_short_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, bytes(content[:2])))
    write_atomically(tmp_path / "a", b"12345", tmp_path)
    assert (tmp_path / "a").read_bytes() == b"12345"


@pytest.mark.parametrize("function", ["write", "fsync"])
def test_write_that_fails_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    (tmp_path / "a").write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        with pytest.raises(OSError, match="No space left"):
            write_atomically(tmp_path / "a", b"new", tmp_path / "drafts")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert not list((tmp_path / "drafts").iterdir())


def test_files_set_aside_have_names_of_their_own(tmp_path: Path) -> None:
    for content in ("1", "2"):
        (tmp_path / "a.json").write_text(content)
        assert set_aside(tmp_path / "a.json", "kept").read_text() == content
    assert not (tmp_path / "a.json").exists()
    assert len(list(tmp_path.glob("a.json.kept-*"))) == 2


def test_unused_path_is_the_first_one_that_nothing_has(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    assert unused_path(path) == path
    path.mkdir()
    assert unused_path(path) == tmp_path / "a-2.jpg"
    (tmp_path / "a-2.jpg").symlink_to("/nowhere")
    assert unused_path(path) == tmp_path / "a-3.jpg"
    assert unused_path(tmp_path / ".hidden") == tmp_path / ".hidden"


def test_size_of_anything_but_a_regular_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"123")
    os.mkfifo(tmp_path / "pipe")
    assert regular_size(tmp_path / "a") == 3
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="not a regular file"):
            regular_size(path)


def revise(target: Path, *parts: bytes) -> Path | None:
    """Return the draft with a new content, or None."""
    with closing(Revision(target, target.parent / "drafts")) as revision:
        for part in parts:
            revision.write(part)
        draft = revision.finish()
        return draft and draft.replace(target)


@pytest.mark.parametrize("old", [None, b"", b"1", b"12345", b"12x45", b"x2345", b"1234567"])
@pytest.mark.parametrize("parts", [[], [b"1", b"2345"], [b"12", b"", b"345"], [b"12345"]])
def test_revision_has_the_new_content_and_a_draft_only_if_the_content_differs(
    tmp_path: Path, old: bytes | None, parts: list[bytes]
) -> None:
    file = tmp_path / "a"
    if old is not None:
        file.write_bytes(old)
    assert (revise(file, *parts) is None) == (old == b"".join(parts))
    assert file.read_bytes() == b"".join(parts)
    assert not any((tmp_path / "drafts").glob("*"))


def test_revision_of_a_file_that_gets_shorter_meanwhile_fails(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"x" * 100_000)
    with closing(Revision(file, tmp_path / "drafts")) as revision:
        revision.write(b"x" * 50_000)
        os.truncate(file, 10)
        with pytest.raises(OSError, match="changed it meanwhile"):
            revision.write(b"y")
    assert file.read_bytes() == b"x" * 10
    assert not any((tmp_path / "drafts").glob("*"))
