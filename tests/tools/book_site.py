"""A stand-in for books.toscrape.com: listings of 20 books, pages of books, and their images."""

from collections.abc import Callable
from io import BytesIO

from aiohttp import web
from PIL import Image

URL = "http://books.toscrape.com/"
CATEGORIES = ("Travel", "Mystery", "Poetry")


def image_of(number: int) -> bytes:
    """Return the image of a book, a valid JPEG that no other book has."""
    file = BytesIO()
    Image.new("RGB", (30, 40), (number % 256, number // 256, 99)).save(file, "JPEG", comment=f"book {number}")
    return file.getvalue()


def book_url(number: int) -> str:
    """Return the URL of a book's page."""
    return f"{URL}catalogue/book_{number}/index.html"


def image_url(number: int) -> str:
    """Return the URL of a book's image."""
    return f"{URL}media/cache/{number}.jpg"


def listing_page(page: int, books: int) -> str:
    """Return the listing with this number, of so many books."""
    prefix = "catalogue/" if page == 1 else ""
    numbers = range(20 * page - 19, min(20 * page, books) + 1)
    shown = "".join(
        f'<article class="product_pod"><div class="image_container"><a><img src="media/cache/t{number}.jpg"></a></div>'
        f'<h3><a href="{prefix}book_{number}/index.html" title="Book number {number}">Book number…</a></h3>'
        f'<p class="price_color">£{number}.00</p></article>'
        for number in numbers
    )
    following = f'<li class="next"><a href="{prefix}page-{page + 1}.html">next</a></li>' if 20 * page < books else ""
    return _html(
        f'<form class="form-horizontal"><strong>{books}</strong> results</form><ol>{shown}</ol>'
        f'<ul class="pager">{following}</ul>'
    )


def book_page(number: int) -> str:
    """Return the page of a book."""
    return _html(
        f'<ul class="breadcrumb"><li><a>Home</a></li><li><a>Books</a></li><li><a>{CATEGORIES[number % 3]}</a></li></ul>'
        f'<div id="product_gallery"><img src="../../media/cache/{number}.jpg"></div>'
        f'<div class="product_main"><h1>Book number {number}</h1><p class="price_color">£{number}.00</p></div>'
    )


def _html(body: str) -> str:
    return f"<!DOCTYPE html><html><body>{body}</body></html>"


class BookSite:
    """A site with so many books, which counts requests."""

    def __init__(self, books: int = 50) -> None:
        self.books = books
        #: The URLs of all requests, in order.
        self.requests: list[str] = []
        #: By URL, a status or a page that is sent in place of the response.
        self.answers: dict[str, int | str] = {}
        #: Called for each request.
        self.on_request: Callable[[], object] = lambda: None

    @property
    def app(self) -> web.Application:
        """The site as an application, for one server: the site itself, or a proxy."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        url = str(request.url)
        self.requests.append(url)
        self.on_request()
        match self.answers.get(url):
            case int() as status:
                return web.Response(status=status)
            case str() as page:
                return web.Response(text=page, content_type="text/html")
        match request.path.strip("/").split("/"):
            case [""] | ["index.html"]:
                return web.Response(text=listing_page(1, self.books), content_type="text/html")
            case ["catalogue", page] if page.startswith("page-"):
                return web.Response(text=listing_page(int(page[5:-5]), self.books), content_type="text/html")
            case ["catalogue", book, "index.html"]:
                return web.Response(text=book_page(int(book.rpartition("_")[2])), content_type="text/html")
            case ["media", "cache", name]:
                return web.Response(body=image_of(int(name[:-4])), content_type="image/jpeg")
        return web.Response(status=404)

    def requested(self) -> list[str]:
        """Return the URLs of all requests but those for robots.txt, in order."""
        return [url for url in self.requests if not url.endswith("/robots.txt")]
