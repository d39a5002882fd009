"""The spider: start page, listings, cover pages."""

from collections.abc import Iterator

import scrapy

from timecoverspider import dates, items


class CoverSpider(scrapy.Spider):
    """Yields a MagazineCover for every issue of TIME's U.S. edition."""

    name = "pyimagesearch-cover-spider"
    allowed_domains = ["search.time.com", "content.time.com", "img.timeinc.net"]
    start_urls = ["http://search.time.com/results.html?N=46&Ns=p_date_range|1"]
    newest_first = True
    record_key = ["pubDate", "file_urls"]  # same date and same image: same cover
    order_field = "pubDate"
    ignored_parameters = ["sid", "internalid"]  # session ids in some links of the archive

    def parse(self, response: scrapy.http.Response) -> Iterator[scrapy.Request]:
        """Follow the link to the U.S. edition on the start page.

        @url http://search.time.com/results.html?N=46&Ns=p_date_range|1
        @returns requests 1 1
        """
        facets = response.css("div.refineCol ul li a").xpath("self::a[contains(., 'TIME U.S.')]/@href")
        yield from response.follow_all(facets.getall(), self.parse_page)

    def parse_page(self, response: scrapy.http.Response) -> Iterator[scrapy.Request]:
        """Follow the next listing page and every cover on this one. Raises: ValueError if there is no cover.

        @url http://search.time.com/results.html?N=46+30&Ns=p_date_range|1&Nty=1
        @returns requests 16 16
        """
        following = response.css("div.pages a").xpath("self::a[contains(., 'Next')]/@href")
        yield from response.follow_all(following.getall(), self.parse_page, priority=1)
        if not (covers := response.xpath("//a[contains(., 'Large Cover')]/@href").getall()):
            raise ValueError("the page lists no covers")
        for link in covers:
            try:
                yield response.follow(link, self.parse_covers)
            except ValueError:  # invalid URL: this request will fail, and the failure is logged
                yield scrapy.Request(f"about:invalid?{link}", self.parse_covers)

    def parse_covers(self, response: scrapy.http.Response) -> Iterator[items.MagazineCover]:
        """Read a cover page. Raises: ValueError if the page has no title, date or image.

        @url http://content.time.com/time/covers/0,16641,20140310,00.html
        @returns items 1 1
        @scrapes title pubDate file_urls
        """
        heading = response.css(".content-main-aside h1")
        if not (title := heading.xpath("normalize-space(text())").get()):
            raise ValueError("the page has no title")
        if not (url := response.css(".art-cover-photo figure a img::attr(src)").get()):
            raise ValueError("the page has no image")
        date = dates.parse_date(" ".join(heading.css(text).get("").strip() for text in ("time::text", "time a::text")))
        yield items.MagazineCover(title=title, pubDate=date.isoformat(), file_urls=[response.urljoin(url.strip())])
