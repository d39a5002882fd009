"""The replica over real sockets, as a proxy and by Host."""

import http.client
import socket
from collections.abc import Iterator
from datetime import date
from gzip import decompress
from io import BytesIO
from urllib.parse import quote

import pytest
from mock_archive import INDEX
from parsel import Selector
from PIL import Image
from serving import serving

from timecoverspider.replica import app
from timecoverspider.replica.app import make_app
from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import cover_url, image_url, listing_url

COVER = "http://content.time.com/time/covers/0,16641,20140310,00.html"
IMAGE = "http://img.timeinc.net/time/magazine/archive/covers/2014/1101140310_600.jpg"


@pytest.fixture(scope="module")
def connection() -> Iterator[http.client.HTTPConnection]:
    with serving(make_app()) as address:
        connection = http.client.HTTPConnection(address.removeprefix("http://"))
        yield connection
        connection.close()


class Reply:
    def __init__(self, connection: http.client.HTTPConnection, url: str, method: str = "GET", **headers: str) -> None:
        connection.request(method, url, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def css(self, query: str) -> list[str]:
        return Selector(self.body.decode()).css(query).getall()


def test_index_links_to_the_four_editions_with_session_parameters(connection: http.client.HTTPConnection) -> None:
    index = Reply(connection, INDEX)
    assert index.status == 200
    assert index.css("div.refineCol ul li a::text") == [
        "TIME U.S. (4763)", "TIME Europe (0)", "TIME Asia (0)", "TIME South Pacific (0)",
    ]  # fmt: skip
    assert "sid=150424A4D8E2&internalid=endeca_dimension" in index.css("div.refineCol a::attr(href)")[0]


@pytest.mark.parametrize(
    ("offset", "covers", "steps"),
    [(0, 15, ["Next"]), (15, 15, ["Previous", "Next"]), (4755, 8, ["Previous"]), (9000, 0, [])],
)
def test_listing_has_15_covers_newest_first_and_links_to_its_neighbours(
    connection: http.client.HTTPConnection, offset: int, covers: int, steps: list[str]
) -> None:
    listing = Reply(connection, listing_url(offset=offset))
    links = Selector(listing.body.decode()).xpath("//a[contains(., 'Large Cover')]/@href").getall()
    assert links == [cover_url(day) for day in issue_dates()[offset : offset + 15]]
    assert len(links) == covers
    assert [step for step in listing.css("div.pages a::text") if step != "Previous" or offset < 9000] == steps


def test_listings_of_a_date_range_have_the_issues_of_that_range(connection: http.client.HTTPConnection) -> None:
    url: str | None = (
        "http://search.time.com/results.html?N=46+30&Ns=p_date_range|1&Nf=p_date_range|BTWN+20130101+20131231"
    )
    links: list[str] = []
    while url:
        listing = Selector(Reply(connection, url).body.decode())
        links += listing.xpath("//a[contains(., 'Large Cover')]/@href").getall()
        url = listing.css("div.pages").xpath("a[contains(., 'Next')]/@href").get()
    assert links == [cover_url(day) for day in issue_dates() if day.year == 2013]


def test_listing_of_another_edition_is_empty(connection: http.client.HTTPConnection) -> None:
    listing = Reply(connection, "http://search.time.com/results.html?N=46+32&Ns=p_date_range|1&Nty=1")
    assert (listing.status, listing.css("a")) == (200, [])


def test_cover_page_is_marked_up_as_the_archives(connection: http.client.HTTPConnection) -> None:
    cover = Reply(connection, COVER)
    assert cover.css(".art-cover-photo figure a img::attr(src)") == [IMAGE]
    assert cover.css(".content-main-aside h1::text") == ["Code Red "]
    assert cover.css(".content-main-aside h1 time::text") == ["Mar. 10, "]
    assert cover.css(".content-main-aside h1 time a::text") == ["2014"]


def test_image_has_the_size_that_its_url_says(connection: http.client.HTTPConnection) -> None:
    for day, size in ((date(2011, 12, 26), (400, 527)), (date(2012, 1, 9), (600, 790))):
        reply = Reply(connection, image_url(day))
        assert reply.headers["Content-Type"] == "image/jpeg"
        assert Image.open(BytesIO(reply.body)).size == size
    assert Reply(connection, image_url(date(2012, 1, 9)).replace("_600", "_400")).status == 404


@pytest.mark.parametrize(
    "url",
    [
        "http://search.time.com/", "http://search.time.com/results.html", INDEX + "&No=x",
        "http://content.time.com/time/covers/0,16641,20140311,00.html",
        "http://content.time.com/time/covers/0,16641,20140231,00.html",
        "http://content.time.com/results.html?N=46", "http://img.timeinc.net/time/magazine/archive/covers/1.jpg",
        "http://search.time.com/time/covers/0,16641,20140310,00.html", "http://example.com/", "/",
    ],
)  # fmt: skip
def test_url_that_the_archive_never_had_is_404(connection: http.client.HTTPConnection, url: str) -> None:
    assert Reply(connection, url).status == 404


def test_request_to_the_server_itself_is_told_how_to_use_the_proxy(connection: http.client.HTTPConnection) -> None:
    assert b"http_proxy=http://127.0.0.1:" in Reply(connection, "/").body


def test_host_header_names_the_host_without_a_proxy(connection: http.client.HTTPConnection) -> None:
    assert Reply(connection, "/robots.txt", Host="img.timeinc.net").body.startswith(b"User-agent: *")
    assert Reply(connection, "/time/covers/0,16641,20140310,00.html", Host="content.time.com:80").status == 200


def test_post_is_refused(connection: http.client.HTTPConnection) -> None:
    assert Reply(connection, INDEX, "POST").status == 405


@pytest.mark.parametrize("url", [INDEX, COVER, IMAGE])
def test_conditional_request_for_a_current_copy_is_304(connection: http.client.HTTPConnection, url: str) -> None:
    first = Reply(connection, url)
    for headers in ({"If_None_Match": first.headers["ETag"]}, {"If_Modified_Since": first.headers["Last-Modified"]}):
        again = Reply(connection, url, **headers)
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    other = Reply(connection, url, If_None_Match='"other"', If_Modified_Since=first.headers["Last-Modified"])
    assert (other.status, other.body) == (200, first.body)
    assert Reply(connection, url, "HEAD").headers["ETag"] == first.headers["ETag"]


def test_page_is_compressed_if_the_client_accepts_gzip(connection: http.client.HTTPConnection) -> None:
    compressed = Reply(connection, INDEX, Accept_Encoding="gzip, deflate")
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert decompress(compressed.body) == Reply(connection, INDEX).body
    assert "Content-Encoding" not in Reply(connection, IMAGE, Accept_Encoding="gzip").headers


def test_connection_is_kept_alive(connection: http.client.HTTPConnection) -> None:
    Reply(connection, INDEX)
    socket = connection.sock
    Reply(connection, COVER)
    Reply(connection, IMAGE)
    assert connection.sock is socket is not None


@pytest.mark.parametrize("offset", ["9" * 5000, "-1", "1e3", "٣", "0x1", "%FF"])
def test_offset_that_is_no_small_number_is_404(connection: http.client.HTTPConnection, offset: str) -> None:
    url = listing_url() + "&No=" + quote(offset, safe="%")
    assert Reply(connection, url).status == 404


@pytest.mark.parametrize(
    ("requested", "part"),
    [("bytes=0-9", (0, 10)), ("bytes=5-", (5, None)), ("bytes=-5", (-5, None)), ("bytes=0-999999999", (0, None))],
)
def test_part_of_an_image_is_sent_to_a_client_that_goes_on_with_a_download(
    connection: http.client.HTTPConnection, requested: str, part: tuple[int, int | None]
) -> None:
    image = Reply(connection, IMAGE)
    assert image.headers["Accept-Ranges"] == "bytes"
    for headers in ({}, {"If_Range": image.headers["ETag"]}):
        reply = Reply(connection, IMAGE, Range=requested, **headers)
        assert (reply.status, reply.body) == (206, image.body[slice(*part)])
        start, stop, _ = slice(*part).indices(len(image.body))
        assert reply.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(image.body)}"
        assert reply.headers["ETag"] == image.headers["ETag"]


def test_part_beyond_the_end_of_an_image_is_416(connection: http.client.HTTPConnection) -> None:
    size = len(Reply(connection, IMAGE).body)
    for requested in (f"{size}-", f"{10**20}-", "-0"):
        reply = Reply(connection, IMAGE, Range=f"bytes={requested}")
        assert (reply.status, reply.headers["Content-Range"]) == (416, f"bytes */{size}")


@pytest.mark.parametrize(
    "headers",
    [{"Range": "lines=1-2"}, {"Range": "bytes=x"}, {"Range": "bytes=9-5"}, {"Range": "bytes=0-1,4-5"},
     {"Range": "bytes=5-", "If_Range": '"other"'}],
)  # fmt: skip
def test_range_that_cannot_be_sent_is_the_whole_image(
    connection: http.client.HTTPConnection, headers: dict[str, str]
) -> None:
    reply = Reply(connection, IMAGE, **headers)
    assert (reply.status, reply.body) == (200, Reply(connection, IMAGE).body)


@pytest.mark.parametrize(
    "accepted", ["gzip;q=0", "gzip; q=0.0", "deflate, gzip ;q=0.000", "gzip;q=0, br", "GZIP;Q=0", "*;q=0", "notgzip"]
)
def test_page_is_not_compressed_if_the_client_refuses_gzip(
    connection: http.client.HTTPConnection, accepted: str
) -> None:
    assert "Content-Encoding" not in Reply(connection, INDEX, Accept_Encoding=accepted).headers


@pytest.mark.parametrize("accepted", ["gzip;q=0.5", "gzip;q=0.01", "deflate;q=0, gzip"])
def test_page_is_compressed_if_the_client_prefers_another_encoding(
    connection: http.client.HTTPConnection, accepted: str
) -> None:
    assert Reply(connection, INDEX, Accept_Encoding=accepted).headers["Content-Encoding"] == "gzip"


@pytest.mark.parametrize(
    "raw",
    [b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
     b"GET http://[::1 HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nA: " + b"x" * 100_000 + b"\r\n\r\n"],
)  # fmt: skip
def test_malformed_request_is_400_and_logs_nothing(raw: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with serving(make_app([]), logger=app._logger) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(raw)
            assert b" 400 " in client.recv(100)
    assert not caplog.records


def test_client_that_leaves_before_the_answer_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with serving(make_app([], latency=0.05)) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            client.recv(100)
    assert not caplog.records


def test_foreign_host_is_told_the_address_of_the_proxy_and_not_its_own(connection: http.client.HTTPConnection) -> None:
    body = Reply(connection, "http://example.com/").body
    assert b"http_proxy=http://127.0.0.1:" in body
    assert b"example.com" not in body
