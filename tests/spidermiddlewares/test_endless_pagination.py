"""When the pagination of a site seems to have no end."""

import pytest

from timecoverspider.spidermiddlewares.listings import Listings

URL, NEXT = "http://search.time.com/results.html?N=46", "http://search.time.com/results.html?N=46+30"


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
    listings.add_stated(URL, NEXT, stated)
    number = 2 * stated + 100
    assert not read(listings, *([str(page)] for page in range(number)))
    assert f"{stated:,}" in read(listings, ["one more"])


def test_listings_with_new_pages_alone_have_an_end_unless_the_site_states_a_number() -> None:
    assert not read(Listings(), *([str(page)] for page in range(100_000)))
