"""The book covers of http://books.toscrape.com, a site for practice."""

from collections.abc import Iterator

import scrapy


class BookSpider(scrapy.Spider):
    """Yields the cover of each book, with title, price and category."""

    name = "books"
    allowed_domains = ["books.toscrape.com"]
    start_urls = ["http://books.toscrape.com/"]

    def parse(self, response: scrapy.http.Response) -> Iterator[scrapy.Request]:
        """Follow each book and the next page. Each listing states the number of books."""
        books, following = (response.css(f"{css} a::attr(href)").getall() for css in ("article h3", "li.next"))
        stated = response.css("form strong::text").get()
        yield from response.follow_all(books, self.parse_book, meta={"item_page": True, "stated": stated})
        yield from response.follow_all(following, meta={"stated": stated})

    def parse_book(self, response: scrapy.http.Response) -> Iterator[dict[str, str | list[str] | None]]:
        """Read a book."""
        yield {
            "title": response.css(".product_main h1::text").get(),
            "price": response.css(".product_main .price_color::text").get(),
            "category": response.css("ul.breadcrumb li:nth-child(3) a::text").get(),
            "file_urls": [response.urljoin(response.css("#product_gallery img").attrib["src"])],
        }
