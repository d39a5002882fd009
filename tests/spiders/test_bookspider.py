"""The spider of books.toscrape.com on pages in the manner of that site."""

import pytest
from book_site import URL, book_page, book_url, image_url, listing_page
from scrapy.http import HtmlResponse, Request

from timecoverspider.spiders.bookspider import BookSpider


def page(url: str, text: str) -> HtmlResponse:
    return HtmlResponse(url, body=text.encode(), encoding="utf-8", request=Request(url))


def test_first_listing_leads_to_its_books_and_to_the_next_listing() -> None:
    spider = BookSpider()
    *books, following = spider.parse(page(URL, listing_page(1, 50)))
    assert [request.url for request in books] == [book_url(number) for number in range(1, 21)]
    assert {request.callback for request in books} == {spider.parse_book}
    assert all(request.meta == {"item_page": True, "stated": "50"} for request in books)
    assert following.url == f"{URL}catalogue/page-2.html"
    assert following.callback is None  # parse
    assert following.meta["stated"] == "50"


def test_last_listing_leads_to_its_books_alone() -> None:
    requests = list(BookSpider().parse(page(f"{URL}catalogue/page-3.html", listing_page(3, 50))))
    assert [request.url for request in requests] == [book_url(number) for number in range(41, 51)]


def test_book_has_title_price_category_and_image() -> None:
    [item] = BookSpider().parse_book(page(book_url(7), book_page(7)))
    assert item == {
        "title": "Book number 7",
        "price": "£7.00",
        "category": "Mystery",
        "file_urls": [image_url(7)],
    }


def test_book_without_an_image_is_invalid() -> None:
    with pytest.raises(LookupError):
        list(BookSpider().parse_book(page(book_url(7), book_page(7).replace("product_gallery", "gallery"))))
