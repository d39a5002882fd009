"""The replica asked over real sockets, as a proxy and by Host."""

import http.client
import subprocess
import time
from collections.abc import Iterator
from datetime import date
from gzip import decompress
from io import BytesIO
from urllib.request import ProxyHandler, build_opener

import pytest
from conftest import PROJECT, environment, run_scrapy, scrapy_command, serving
from parsel import Selector
from PIL import Image

from timecoverspider.replica.app import make_app
from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import cover_url, image_url, listing_url

INDEX = "http://search.time.com/results.html?N=46&Ns=p_date_range|1"
COVER = "http://content.time.com/time/covers/0,16641,20140310,00.html"
PICTURE = "http://img.timeinc.net/time/magazine/archive/covers/2014/1101140310_600.jpg"


@pytest.fixture(scope="module")
def connection() -> Iterator[http.client.HTTPConnection]:
    with serving(make_app()) as address:
        connection = http.client.HTTPConnection(address.removeprefix("http://"))
        yield connection
        connection.close()


class Answer:
    def __init__(self, connection: http.client.HTTPConnection, url: str, method: str = "GET", **headers: str) -> None:
        connection.request(method, url, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def css(self, query: str) -> list[str]:
        return Selector(self.body.decode()).css(query).getall()


def test_index_has_the_four_editions_with_session_noise(connection: http.client.HTTPConnection) -> None:
    index = Answer(connection, INDEX)
    assert index.status == 200
    assert index.css("div.refineCol ul li a::text") == [
        "TIME U.S. (4763)", "TIME Europe (0)", "TIME Asia (0)", "TIME South Pacific (0)",
    ]  # fmt: skip
    assert "sid=150424A4D8E2&internalid=endeca_dimension" in index.css("div.refineCol a::attr(href)")[0]


@pytest.mark.parametrize(
    ("offset", "covers", "steps"),
    [(0, 15, ["Next"]), (15, 15, ["Previous", "Next"]), (4755, 8, ["Previous"]), (9000, 0, [])],
)
def test_listing_pages_hold_15_newest_first(
    connection: http.client.HTTPConnection, offset: int, covers: int, steps: list[str]
) -> None:
    listing = Answer(connection, listing_url(offset=offset))
    links = Selector(listing.body.decode()).xpath("//a[contains(., 'Large Cover')]/@href").getall()
    assert links == [cover_url(day) for day in issue_dates()[offset : offset + 15]]
    assert len(links) == covers
    assert [step for step in listing.css("div.pages a::text") if step != "Previous" or offset < 9000] == steps


def test_listing_of_a_date_range_walks_through_just_that(connection: http.client.HTTPConnection) -> None:
    url: str | None = (
        "http://search.time.com/results.html?N=46+30&Ns=p_date_range|1&Nf=p_date_range|BTWN+20130101+20131231"
    )
    links: list[str] = []
    while url:
        listing = Selector(Answer(connection, url).body.decode())
        links += listing.xpath("//a[contains(., 'Large Cover')]/@href").getall()
        url = listing.css("div.pages").xpath("a[contains(., 'Next')]/@href").get()
    assert links == [cover_url(day) for day in issue_dates() if day.year == 2013]


def test_listing_of_another_edition_is_empty(connection: http.client.HTTPConnection) -> None:
    listing = Answer(connection, "http://search.time.com/results.html?N=46+32&Ns=p_date_range|1&Nty=1")
    assert (listing.status, listing.css("a")) == (200, [])


def test_cover_page_is_marked_up_as_the_archives(connection: http.client.HTTPConnection) -> None:
    cover = Answer(connection, COVER)
    assert cover.css(".art-cover-photo figure a img::attr(src)") == [PICTURE]
    assert cover.css(".content-main-aside h1::text") == ["Code Red "]
    assert cover.css(".content-main-aside h1 time::text") == ["Mar. 10, "]
    assert cover.css(".content-main-aside h1 time a::text") == ["2014"]


def test_pictures_have_the_size_that_their_address_says(connection: http.client.HTTPConnection) -> None:
    for day, size in ((date(2011, 12, 26), (400, 527)), (date(2012, 1, 9), (600, 790))):
        answer = Answer(connection, image_url(day))
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert Image.open(BytesIO(answer.body)).size == size
    assert Answer(connection, image_url(date(2012, 1, 9)).replace("_600", "_400")).status == 404


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
def test_what_the_archive_never_had_is_404(connection: http.client.HTTPConnection, url: str) -> None:
    assert Answer(connection, url).status == 404


def test_a_lost_visitor_is_told_how_to_ask(connection: http.client.HTTPConnection) -> None:
    assert b"http_proxy=http://127.0.0.1:" in Answer(connection, "/").body


def test_hosts_are_told_apart_without_a_proxy_too(connection: http.client.HTTPConnection) -> None:
    assert Answer(connection, "/robots.txt", Host="img.timeinc.net").body.startswith(b"User-agent: *")
    assert Answer(connection, "/time/covers/0,16641,20140310,00.html", Host="content.time.com:80").status == 200


def test_post_is_refused(connection: http.client.HTTPConnection) -> None:
    assert Answer(connection, INDEX, "POST").status == 405


@pytest.mark.parametrize("url", [INDEX, COVER, PICTURE])
def test_a_copy_that_is_current_is_not_sent_again(connection: http.client.HTTPConnection, url: str) -> None:
    first = Answer(connection, url)
    for headers in ({"If_None_Match": first.headers["ETag"]}, {"If_Modified_Since": first.headers["Last-Modified"]}):
        again = Answer(connection, url, **headers)
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    other = Answer(connection, url, If_None_Match='"other"', If_Modified_Since=first.headers["Last-Modified"])
    assert (other.status, other.body) == (200, first.body)
    assert Answer(connection, url, "HEAD").headers["ETag"] == first.headers["ETag"]


def test_pages_are_compressed_for_those_who_ask(connection: http.client.HTTPConnection) -> None:
    packed = Answer(connection, INDEX, Accept_Encoding="gzip, deflate")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert decompress(packed.body) == Answer(connection, INDEX).body
    assert "Content-Encoding" not in Answer(connection, PICTURE, Accept_Encoding="gzip").headers


def test_connections_are_kept_alive(connection: http.client.HTTPConnection) -> None:
    Answer(connection, INDEX)
    socket = connection.sock
    Answer(connection, COVER)
    Answer(connection, PICTURE)
    assert connection.sock is socket is not None


@pytest.fixture
def command() -> Iterator["subprocess.Popen[str]"]:
    arguments = scrapy_command("replica", "--issues", "20", "--latency", "150")
    with subprocess.Popen(arguments, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_replica_command_serves_until_it_is_interrupted(command: "subprocess.Popen[str]") -> None:
    assert command.stdout
    greeting = command.stdout.readline()
    assert "20 issues" in greeting
    address = greeting.partition(" at ")[2].split()[0]
    started = time.monotonic()
    with build_opener(ProxyHandler({"http": address})).open(INDEX.replace("|", "%7C"), timeout=10) as response:
        assert b"TIME U.S. (20)" in response.read()
    assert time.monotonic() - started >= 0.15
    command.send_signal(2)
    assert command.wait(10) == 0


@pytest.mark.parametrize(
    "arguments", [["--issues", "0"], ["--issues", "800000"], ["--port", "70000"], ["--latency", "-1"], ["x"]]
)
def test_replica_command_refuses_what_makes_no_sense(arguments: list[str]) -> None:
    done = run_scrapy("replica", *arguments, cwd=PROJECT)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_replica_command_says_that_a_port_is_taken() -> None:
    with serving(make_app()) as address:
        port = address.rpartition(":")[2]
        done = run_scrapy("replica", "--port", port, cwd=PROJECT)
    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert "Traceback" not in done.stderr
