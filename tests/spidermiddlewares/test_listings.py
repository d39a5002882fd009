"""What the listings of a crawl show, and what the site states of them."""

import pytest

from timecoverspider.spidermiddlewares.listings import Listings

FIRST, SECOND, EUROPE, NEXT = "http://a.example/", "http://a.example/2", "http://a.example/eu", "http://a.example/next"


@pytest.mark.parametrize(
    ("stated", "number"),
    [
        (12, 12),
        ("TIME U.S. (4,763)", 4763),
        ("Showing 1 to 20 of 1000", 1000),
        ("1000", 1000),
        ("no books", None),
        (None, None),
        ("", None),
        ("TIME U.S. (0)", 0),
        ("9" * 5000, 10**12 - 1),
    ],
)
def test_stated_number_is_the_last_one_of_a_text(stated: object, number: int | None) -> None:
    listings = Listings()
    listings.add_stated(FIRST, NEXT, stated)
    assert listings.stated == number


def test_total_that_each_listing_repeats_is_one_total() -> None:
    listings = Listings()
    for page, following in ((FIRST, SECOND), (SECOND, NEXT)):
        listings.add_stated(page, following, "1000")
    assert listings.stated == 1000


def test_totals_of_the_facets_of_one_page_are_added() -> None:
    listings = Listings()
    listings.add_stated(FIRST, NEXT, 4763)
    listings.add_stated(FIRST, EUROPE, 700)
    listings.add_stated(FIRST, EUROPE, 700)  # the same link twice
    assert listings.stated == 5463


def test_total_that_each_link_of_a_page_states_is_one_total() -> None:
    listings = Listings()
    for link in (SECOND, NEXT, EUROPE):
        listings.add_stated(FIRST, link, "1000 results")
    assert listings.stated == 1000


def test_largest_total_counts_if_pages_state_different_ones() -> None:
    listings = Listings()
    listings.add_stated(FIRST, NEXT, 1000)
    listings.add_stated(SECOND, NEXT, 60)
    assert listings.stated == 1000


def test_too_few_records_are_those_below_the_stated_number() -> None:
    listings = Listings()
    assert listings.why_too_few(0) == ""
    listings.add_stated(FIRST, NEXT, 10)
    assert listings.why_too_few(10) == ""
    assert "10 records" in listings.why_too_few(9)


def test_listings_have_shrunk_if_less_than_nine_tenths_are_seen() -> None:
    listings = Listings()
    listings.known = 9
    assert listings.why_shrunk(10) == ""
    assert "9 of 11 known" in listings.why_shrunk(11)


def test_pagination_has_no_end_after_20_listings_in_a_row_without_news() -> None:
    listings = Listings()
    for _ in range(19):
        listings.end_page(is_new=False)
    listings.end_page(is_new=True)
    for _ in range(19):
        listings.end_page(is_new=False)
        assert listings.why_endless() == ""
    listings.end_page(is_new=False)
    assert "no end" in listings.why_endless()


def test_pagination_has_no_end_if_it_shows_more_than_twice_what_is_stated() -> None:
    listings = Listings()
    listings.add_stated(FIRST, NEXT, 10)
    assert [listings.meet(f"{FIRST}{number}") for number in range(120)] == [True] * 120
    assert not listings.meet(f"{FIRST}0")
    assert listings.why_endless() == ""
    listings.meet(EUROPE)
    assert "10 records" in listings.why_endless()
