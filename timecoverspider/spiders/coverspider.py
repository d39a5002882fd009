"""The walk through the archive: index, listings, cover pages."""

from collections.abc import Iterator

import scrapy
from scrapy.http import Request, Response

from timecoverspider.dates import parse_date
from timecoverspider.items import MagazineCover


class CoverSpider(scrapy.Spider):
    """Yields a MagazineCover for every issue of TIME's U.S. edition."""

    name = "pyimagesearch-cover-spider"
    allowed_domains = ["search.time.com", "content.time.com", "img.timeinc.net"]
    start_urls = ["http://search.time.com/results.html?N=46&Ns=p_date_range|1"]

    def parse(self, response: Response) -> Iterator[Request]:
        """Follow the U.S. edition's facet on the index page.

        @url http://search.time.com/results.html?N=46&Ns=p_date_range|1
        @returns requests 1 1
        """
        facets = response.css("div.refineCol ul li a").xpath("self::a[contains(., 'TIME U.S.')]/@href")
        yield from response.follow_all(facets.getall(), self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Request]:
        """Follow every cover on a listing page, then the next listing page if there is one.

        @url http://search.time.com/results.html?N=46+30&Ns=p_date_range|1&Nty=1
        @returns requests 16 16
        """
        for link in response.xpath("//a[contains(., 'Large Cover')]/@href").getall():
            try:
                yield response.follow(link, self.parse_covers)
            except ValueError:  # no address: the request is refused, which tells that a cover is missing
                yield Request(f"about:invalid?{link}", self.parse_covers)
        # Ahead of the covers, so that there are always covers to ask for.
        following = response.css("div.pages a").xpath("self::a[contains(., 'Next')]/@href")
        yield from response.follow_all(following.getall(), self.parse_page, priority=1)

    def parse_covers(self, response: Response) -> Iterator[MagazineCover]:
        """Read a cover page. Raises ValueError where it shows no title, date or picture.

        @url http://content.time.com/time/covers/0,16641,20140310,00.html
        @returns items 1 1
        @scrapes title pubDate file_urls
        """
        heading = response.css(".content-main-aside h1")
        title = heading.xpath("normalize-space(text())").get()
        day, year = heading.css("time::text").get(""), heading.css("time a::text").get("")
        picture = response.css(".art-cover-photo figure a img::attr(src)").get()
        if not title or not picture:
            raise ValueError("no picture" if title else "no title")
        published = parse_date(f"{day.strip()} {year.strip()}").isoformat()
        yield MagazineCover(title=title, pubDate=published, file_urls=[response.urljoin(picture.strip())])
