"""A stand-in for the tutorial's spider, written from its description: faults and all."""

from datetime import datetime

import scrapy


class Cover(scrapy.Item):
    title = scrapy.Field()
    pubDate = scrapy.Field()
    file_urls = scrapy.Field()
    files = scrapy.Field()


class TutorialSpider(scrapy.Spider):
    name = "pyimagesearch-cover-spider"
    start_urls = ["http://search.time.com/results.html?N=46&Ns=p_date_range|1"]

    def parse(self, response):
        facet = response.css("div.refineCol ul li").xpath("a[contains(., 'TIME U.S.')]")
        yield scrapy.Request(facet.xpath("@href").get(), self.parse_listing)

    def parse_listing(self, response):
        for href in response.xpath("//a[contains(., 'Large Cover')]/@href").getall():
            yield scrapy.Request(href, self.parse_cover)
        # The last page has no such link: Request(None) raises TypeError.
        next_page = response.css("div.pages").xpath("a[contains(., 'Next')]/@href").get()
        yield scrapy.Request(next_page, self.parse_listing)

    def parse_cover(self, response):
        picture = response.css(".art-cover-photo figure a img::attr(src)").get()
        title = response.css(".content-main-aside h1::text").get()
        year = response.css(".content-main-aside h1 time a::text").get()
        month_day = response.css(".content-main-aside h1 time::text").get()[:-2]
        # "%b" knows no month in full but May: raises ValueError for all of June and July.
        date = datetime.strptime(f"{month_day} {year}".replace(".", ""), "%b %d %Y")
        yield Cover(title=title, pubDate=f"{date:%Y-%m-%d}", file_urls=[picture])
