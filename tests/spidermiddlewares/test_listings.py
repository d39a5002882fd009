"""What the listings have shown, and when that is too little, too much, or without end."""

import pytest

from timecoverspider.spidermiddlewares.listings import Listings

URL = "http://search.time.com/results.html?N=46+30"


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("TIME U.S. (50)", 50),
        ("TIME U.S. (4,763)", 4763),
        ("TIME U.S.\n  50 covers", 50),
        ("Issues 1-15 of 4763", 4763),
        (50, 50),
        ("TIME U.S. (0)", 0),
        ("TIME U.S.", None),
        ("", None),
        (None, None),
        ("9" * 5000, 10**12 - 1),
    ],
)
def test_stated_number_is_the_last_number_of_a_text(text: object, stated: int | None) -> None:
    listings = Listings()
    listings.add_stated(URL, text)
    assert listings.stated == stated


def test_stated_numbers_of_several_listings_are_added_and_each_listing_counts_once() -> None:
    listings = Listings()
    for url, stated in ((URL, 50), (URL, 51), (f"{URL}&year=2013", 9)):
        listings.add_stated(url, stated)
    assert listings.stated == 60


@pytest.mark.parametrize(
    ("stated", "records", "is_too_few"), [(None, 0, False), (5, 4, True), (5, 5, False), (5, 6, False)]
)
def test_fewer_records_than_stated_are_too_few(stated: int | None, records: int, is_too_few: bool) -> None:
    listings = Listings()
    listings.add_stated(URL, stated)
    reason = listings.why_too_few(records)
    assert bool(reason) == is_too_few
    if is_too_few:
        assert "5" in reason
        assert "4" in reason


def read(listings: Listings, *pages: list[str]) -> str:
    """Read listings that lead to these pages, and return why the pagination seems to have no end."""
    for links in pages:
        met = [listings.meet(url) for url in links]
        listings.end_page(is_new=any(met))
    return listings.why_endless()


def test_twenty_listings_in_a_row_without_a_new_page_have_no_end() -> None:
    listings = Listings()
    assert not read(listings, ["a", "b"], *[["a", "b"]] * 19)
    assert "20" in read(listings, ["b", "a"])


def test_listing_with_one_new_page_is_not_one_of_a_row() -> None:
    listings = Listings()
    assert not read(listings, ["a"], *[["a"]] * 19, ["a", "b"], *[["a", "b"]] * 19)


def test_listings_without_any_page_have_no_end() -> None:
    assert read(Listings(), *[[]] * 20)


@pytest.mark.parametrize("stated", [0, 20, 1000])
def test_listings_with_many_more_pages_than_stated_have_no_end(stated: int) -> None:
    listings = Listings()
    listings.add_stated(URL, stated)
    number = 2 * stated + 100
    assert not read(listings, *([str(page)] for page in range(number)))
    assert f"{stated:,}" in read(listings, ["one more"])


def test_listings_with_new_pages_alone_have_an_end_unless_the_site_states_a_number() -> None:
    assert not read(Listings(), *([str(page)] for page in range(100_000)))
