"""Spiders of shapes that people really write, each with its site."""

from dataclasses import dataclass, field

A = "http://a.example"


def links(*urls: str, rel: str = "item") -> str:
    """Return links with this class."""
    return "".join(f'<a class="{rel}" href="{url}">x</a>' for url in urls)


def tags(*urls: str) -> str:
    """Return images."""
    return "".join(f'<img src="{url}">' for url in urls)


def page(*parts: str) -> str:
    """Return a page of these parts."""
    return f"<html><body>{''.join(parts)}</body></html>"


@dataclass(frozen=True)
class Shape:
    """A spider named *shape* and its site. *again* are the paths that a recrawl requests."""

    source: str
    pages: dict[str, str]
    records: int
    again: list[str]
    fields: tuple[str, str] = ("file_urls", "files")
    site: dict[str, str | int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "site", {f"{A}{path}": text for path, text in self.pages.items()})


_SHAPE = f"""
class Shape(Spider):
    name = "shape"
    start_urls = ["{A}/"]
"""
_DETAILS = {f"/{number}": page(f"<h1>Item {number}</h1>", tags(f"/{number}.jpg")) for number in range(1, 7)}
_DECADES = {
    "/": page(links("/1920s", "/1930s", rel="decade")),
    "/1920s": page(links("/1", "/2", "/1", "/3")),
    "/1930s": page(links("/3", "/4", "/5", "/4", "/6")),  # the third item is in both
}

SHAPES = {
    "decades": Shape(
        _SHAPE
        + """
    def parse(self, response):
        yield from response.follow_all(css="a.decade", callback=self.parse_decade)

    def parse_decade(self, response):
        yield from response.follow_all(css="a.item", callback=self.parse_item)

    def parse_item(self, response):
        image = response.urljoin(response.css("img::attr(src)").get())
        yield {"title": response.css("h1::text").get(), "file_urls": [image]}
""",
        {**_DECADES, **_DETAILS},
        6,
        ["/", "/1920s", "/1930s"],
    ),
    "next_first": Shape(  # and a dataclass, and protocol-relative URLs
        "@dataclass\nclass Photo:\n    title: str\n    file_urls: list\n    files: list = field(default_factory=list)\n"
        + _SHAPE
        + """
    def parse(self, response):
        if following := response.css("a.next::attr(href)").get():
            yield response.follow(following, self.parse)
        yield from response.follow_all(css="a.item", callback=self.parse_item)

    def parse_item(self, response):
        images = response.css("img::attr(src)").getall()
        yield Photo(response.css("h1::text").get(), [response.urljoin(image) for image in images])
""",
        {
            "/": page(links("/p2", rel="next"), links("/1", "/2")),
            "/p2": page(links("/p3", rel="next"), links("/3", "/4")),
            "/p3": page(links("/5", "/6")),
            **{path: text.replace('src="/', 'src="//a.example/') for path, text in _DETAILS.items()},
        },
        6,
        ["/", "/p2", "/p3"],
    ),
    "async_parse": Shape(  # items and the next page from one callback, an Item, fields and settings of the spider's own
        "class Picture(Item):\n    image_urls, images, page = Field(), Field(), Field()\n\n"
        + _SHAPE
        + """
    custom_settings = {"FILES_URLS_FIELD": "image_urls", "FILES_RESULT_FIELD": "images", "CONCURRENT_ITEMS": 2}

    async def parse(self, response):
        for image in response.css("img::attr(src)").getall():
            yield Picture(image_urls=[response.urljoin(image)], page=response.url)
        for link in response.css("a.next"):
            yield response.follow(link)
""",
        {
            "/": page(tags("/1.jpeg", "/2.png"), links("/p2", rel="next")),
            "/p2": page(tags("/3.jpg", "/4.jpg?size=9.jpg"), links("/p3", rel="next")),
            "/p3": page(tags("/5.jpg")),
        },
        5,
        ["/", "/p2", "/p3"],  # the last page has one record and no request, but is pagination
        ("image_urls", "images"),
    ),
    "crawl_spider": Shape(
        f"""
class Shape(CrawlSpider):
    name = "shape"
    allowed_domains = ["a.example"]
    start_urls = ["{A}/"]
    rules = [Rule(LinkExtractor(restrict_css=".decade")), Rule(LinkExtractor(restrict_css=".item"), callback="read")]

    def read(self, response):
        image = response.css("img").attrib["src"]
        yield {{"title": response.css("h1::text").get(), "file_urls": [response.urljoin(image)]}}
""",
        {**_DECADES, **_DETAILS},
        6,
        ["/", "/1920s", "/1930s"],
    ),
    "sitemap_spider": Shape(
        f"""
class Shape(SitemapSpider):
    name = "shape"
    sitemap_urls = ["{A}/sitemap.xml"]
    sitemap_rules = [("/[0-9]+$", "read")]

    def read(self, response):
        image = response.css("img").attrib["src"]
        yield {{"title": response.css("h1::text").get(), "file_urls": [response.urljoin(image)]}}
""",
        {
            "/sitemap.xml": '<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
            + "".join(f"<url><loc>{A}/{name}</loc></url>" for name in (*range(1, 7), "about"))
            + "</urlset>",
            **_DETAILS,
        },
        6,
        ["/sitemap.xml"],
    ),
}
