"""The spider: start page, listings, cover pages."""

from collections.abc import Iterator

import scrapy

from timecoverspider import dates, items, text


class CoverSpider(scrapy.Spider):
    """Yields a MagazineCover for every issue of TIME's U.S. edition."""

    name = "pyimagesearch-cover-spider"
    allowed_domains = ["search.time.com", "content.time.com", "img.timeinc.net"]
    start_urls = ["http://search.time.com/results.html?N=46&Ns=p_date_range|1"]
    newest_first = True
    record_key = ["pubDate", "file_urls"]  # same date and same image: same cover
    order_field = "pubDate"
    custom_settings = {"CONCURRENT_ITEMS": 1}  # a page shows one cover; Scrapy starts as many tasks for each page
    ignored_parameters = ["sid", "internalid"]  # session ids in some links of the archive

    def parse(self, response: scrapy.http.Response) -> Iterator[scrapy.Request]:
        """Follow the link to the U.S. edition. The link's list entry states the number of covers: TIME U.S. (4763).

        @url http://search.time.com/results.html?N=46&Ns=p_date_range|1
        @returns requests 1 1
        """
        for link in response.xpath("//a[@href][contains(., 'TIME U.S.')][ancestor::*[contains(@class, 'refineCol')]]"):
            yield response.follow(link.attrib["href"], self.parse_page, meta={"stated": link.xpath("string(..)").get()})

    def parse_page(self, response: scrapy.http.Response) -> Iterator[scrapy.Request]:
        """Follow the next listing page and every cover on this page. Raises: ValueError if there is no cover.

        @url http://search.time.com/results.html?N=46+30&Ns=p_date_range|1&Nty=1
        @returns requests 16 16
        """
        following = response.xpath("//a[contains(., 'Next')][ancestor::*[contains(@class, 'pages')]]/@href")
        yield from response.follow_all(following.getall(), self.parse_page, priority=1)
        if not (covers := response.xpath("//a[contains(., 'Large Cover')]/@href").getall()):
            raise ValueError("the page lists no covers")
        for link in covers:
            try:
                yield response.follow(link, self.parse_covers, meta={"day": dates.date_in_url(link), "item_page": True})
            except ValueError:  # invalid URL: this request will fail, and the failure is logged
                yield scrapy.Request(f"about:invalid?{link}", self.parse_covers)

    def parse_covers(self, response: scrapy.http.Response) -> Iterator[items.MagazineCover]:
        """Read a cover. Raises: ValueError if title, date or image is missing, or the date is not that of the URL.

        @url http://content.time.com/time/covers/0,16641,20140310,00.html
        @returns items 1 1
        @scrapes title pubDate file_urls
        """
        heading = response.css(".content-main-aside h1")
        title = text.clean("title", heading.xpath("normalize-space(text())").get(""))
        url = text.clean("image", response.css(".art-cover-photo figure a img::attr(src)").get(""))
        shown = " ".join(heading.css(css).get("").strip() for css in ("time::text", "time a::text"))
        date = dates.parse_date(shown, expected=response.meta.get("day")).isoformat()
        yield items.MagazineCover(title=title, pubDate=date, file_urls=[response.urljoin(url.strip())])
