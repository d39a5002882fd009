"""The newest pages that could not be read are in a folder, each with its URL and the reason."""

import os
from pathlib import Path

import pytest

from timecoverspider.dataset.invalid_pages import KEPT, InvalidPages


def test_page_is_saved_with_its_url_and_the_reason(tmp_path: Path) -> None:
    page = InvalidPages(tmp_path / "rejected").save("http://a/♥", b"\xffbody", "no title")
    assert page is not None
    assert page.read_bytes() == b"\xffbody"
    assert page.with_suffix(".txt").read_text(encoding="utf-8") == "http://a/♥\nno title\n"


def test_page_saved_again_replaces_itself(tmp_path: Path) -> None:
    for body in (b"old", b"new"):
        page = InvalidPages(tmp_path / "rejected").save("http://a/", body, body.decode())
    assert page is not None
    assert sorted((tmp_path / "rejected").iterdir()) == [page, page.with_suffix(".txt")]
    assert (page.read_bytes(), page.with_suffix(".txt").read_text()) == (b"new", "http://a/\nnew\n")


def test_crawl_saves_at_most_as_many_pages_as_the_folder_holds(tmp_path: Path) -> None:
    pages = InvalidPages(tmp_path / "rejected")
    saved = [pages.save(f"http://a/{number}", b"", "") for number in range(KEPT + 5)]
    assert saved.index(None) == KEPT
    assert set(saved[KEPT:]) == {None}
    assert set((tmp_path / "rejected").glob("*.html")) == set(saved[:KEPT])


def test_next_crawl_replaces_the_oldest_pages(tmp_path: Path) -> None:
    first, second = InvalidPages(tmp_path / "rejected"), InvalidPages(tmp_path / "rejected")
    old = [first.save(f"http://a/{number}", b"", "") for number in range(KEPT)]
    for number, page in enumerate(old):
        assert page is not None
        os.utime(page, (number, number))
    new = [second.save(f"http://b/{number}", b"", "") for number in range(3)]
    left = {*old[3:], *new}
    assert set((tmp_path / "rejected").glob("*.html")) == left
    assert set((tmp_path / "rejected").glob("*.txt")) == {page.with_suffix(".txt") for page in left if page}


def test_page_that_cannot_be_saved_raises(tmp_path: Path) -> None:
    (tmp_path / "rejected").write_text("a file where a folder should be")
    with pytest.raises(OSError, match="rejected"):
        InvalidPages(tmp_path / "rejected").save("http://a/", b"", "")
