"""Crawls of a small stand-in of books.toscrape.com."""

import hashlib
from pathlib import Path

import pytest
from book_site import URL, BookSite, book_page, book_url, image_of, image_url, listing_page
from own_project import OwnProject
from scrapy_command import last_line

LISTINGS = [URL, f"{URL}catalogue/page-2.html"]


@pytest.fixture
def project(tmp_path: Path) -> OwnProject:
    return OwnProject(tmp_path)


def test_crawl_of_books_is_complete_and_recrawl_requests_only_listings(project: OwnProject) -> None:
    site = BookSite(25)
    done = project.crawl("books", site)
    assert done.returncode == 0, done.stderr
    assert "25 records in books.json, 25 images in output/books/full, 25 new, 25 on the site" in last_line(done)
    by_title = {record["title"]: record for record in project.records("books")}
    assert sorted(by_title) == sorted(f"Book number {number}" for number in range(1, 26))
    path = f"full/{hashlib.sha1(image_url(7).encode()).hexdigest()}.jpg"
    assert by_title["Book number 7"] == {
        "title": "Book number 7",
        "price": "£7.00",
        "category": "Mystery",
        "file_urls": [image_url(7)],
        "files": [{"url": image_url(7), "path": path, "checksum": hashlib.md5(image_of(7)).hexdigest()}],
    }
    before = (project.folder / "books.json").read_bytes()
    done = project.crawl("books", site)
    assert done.returncode == 0, done.stderr
    assert site.requested() == LISTINGS
    assert "nothing new" in last_line(done)
    assert (project.folder / "books.json").read_bytes() == before


def test_recrawl_of_books_requests_only_what_is_new_and_what_has_failed(project: OwnProject) -> None:
    site = BookSite(24)
    site.answers = {book_url(3): 404, image_url(5): 404}
    done = project.crawl("books", site)
    assert done.returncode == 3
    for part in ("2 missing", f"<{book_url(3)}> HTTP 404", f"<{book_url(5)}> image <{image_url(5)}>: HTTP 404"):
        assert part in last_line(done)
    assert len(project.records("books")) == 22
    site = BookSite(25)
    done = project.crawl("books", site)
    assert done.returncode == 0, done.stderr
    expected = [*LISTINGS, *map(book_url, (3, 5, 25)), *map(image_url, (3, 5, 25))]
    assert sorted(site.requested()) == sorted(expected)
    assert len(project.records("books")) == 25


def test_listing_whose_next_link_is_lost_is_noticed_by_the_stated_number(project: OwnProject) -> None:
    site = BookSite(25)
    site.answers = {URL: listing_page(1, 25).replace('class="next"', 'class="following"')}
    done = project.crawl("books", site)
    assert done.returncode == 4
    assert "the site states 25 records, and the listings lead to 20" in last_line(done)


def test_limit_makes_a_small_data_set_and_the_next_crawl_continues(project: OwnProject) -> None:
    site = BookSite(25)
    done = project.crawl("books", site, "-a", "limit=5")
    assert done.returncode == 0, done.stderr
    assert len(project.records("books")) == len(project.images("books")) == 5
    stored = {record["file_urls"][0] for record in project.records("books")}
    done = project.crawl("books", site)
    assert done.returncode == 0, done.stderr
    assert len(project.records("books")) == 25
    assert not stored & set(site.requests)


def test_crawl_with_a_limit_that_is_reached_already_requests_nothing(project: OwnProject) -> None:
    site = BookSite(25)
    for _ in range(2):
        done = project.crawl("books", site, "-a", "limit=5")
        assert done.returncode == 0, done.stderr
    assert not site.requested()
    assert len(project.records("books")) == 5


def test_books_whose_layout_has_changed_are_exit_status_4(project: OwnProject) -> None:
    site = BookSite(15)
    site.answers = {
        book_url(number): book_page(number).replace("product_gallery", "gallery") for number in range(1, 16)
    }
    done = project.crawl("books", site)
    assert done.returncode == 4
    assert "has their layout changed?" in last_line(done)


def test_verify_of_books_finds_damage_and_repair_downloads_it_again(project: OwnProject) -> None:
    site = BookSite(5)
    assert project.crawl("books", site).returncode == 0
    done = project.scrapy("verify", "books")
    assert (done.returncode, done.stdout) == (0, "5 records in output/books and books.json: no problems.\n")
    file = project.data_set("books") / "full" / f"{hashlib.sha1(image_url(3).encode()).hexdigest()}.jpg"
    file.write_bytes(file.read_bytes()[:-50])
    (project.folder / "books.json").write_text("[]")
    done = project.scrapy("verify", "books")
    assert done.returncode == 3
    assert [line.partition(":")[0] for line in done.stdout.splitlines()[:-1]] == ["cut", *["not in the feed"] * 5]
    done = project.served(site, "verify", "--repair", "books")
    assert done.returncode == 0, done.stderr
    assert site.requested() == [image_url(3)]
    assert len(project.records("books")) == 5


@pytest.mark.slow
@pytest.mark.parametrize("requests", [40, 120, 200, 280])
def test_crawl_of_books_that_is_killed_is_continued(project: OwnProject, requests: int) -> None:
    site = BookSite(140)  # 288 requests
    stored = project.kill_crawl("books", site, requests)
    done = project.crawl("books", site)
    assert done.returncode == 0, done.stderr
    assert len(project.records("books")) == 140
    assert sum("book_" in url for url in site.requests) == 140 - stored
    assert project.crawl("books", site).returncode == 0
    assert len(site.requested()) == 7
