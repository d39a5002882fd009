"""Each fault of the replica, as a plain client sees it."""

import http.client
import json
import re
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path
from time import monotonic

import pytest
from mock_archive import DAYS
from PIL import Image, UnidentifiedImageError
from serving import serving

from timecoverspider.replica.app import make_app
from timecoverspider.replica.faults import FAULTS, Faults, Rule
from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.pages import cover_page, cover_url, image_url, listing_url

ISSUES = DAYS[:20]
COVER, IMAGE, LISTING = cover_url(DAYS[3]), image_url(DAYS[3]), listing_url()
PAGE, DRAWN = cover_page(DAYS[3]), draw_cover(DAYS[3], 600)


def request(address: str, url: str) -> tuple[http.client.HTTPResponse, bytes]:
    with closing(http.client.HTTPConnection(address.removeprefix("http://"), timeout=10)) as connection:
        connection.request("GET", url)
        response = connection.getresponse()
        return response, response.read()


def request_spoilt(url: str, **rule: object) -> tuple[http.client.HTTPResponse, bytes]:
    with serving(make_app(ISSUES, faults=Faults([Rule(**rule)]))) as address:  # type: ignore[arg-type]
        return request(address, url)


def test_status_has_retry_after_if_the_rule_has_it() -> None:
    response, _ = request_spoilt(COVER, fault="status", status=429)
    assert (response.status, response.headers["Retry-After"]) == (429, None)
    response, _ = request_spoilt(COVER, fault="status", retry_after="Fri, 31 Dec 1999 23:59:59 GMT")
    assert (response.status, response.headers["Retry-After"]) == (503, "Fri, 31 Dec 1999 23:59:59 GMT")


def test_redirect_leads_where_the_rule_says_or_to_itself() -> None:
    assert request_spoilt(COVER, fault="redirect")[0].headers["Location"] == COVER
    assert (
        request_spoilt(COVER, fault="redirect", to="file:///etc/passwd")[0].headers["Location"] == "file:///etc/passwd"
    )


@pytest.mark.parametrize("fault", ["cut", "long"])
@pytest.mark.parametrize("url", [COVER, IMAGE])
def test_cut_and_long_end_the_connection_before_the_length(fault: str, url: str) -> None:
    with pytest.raises(http.client.IncompleteRead) as raised:
        request_spoilt(url, fault=fault)
    size = len(PAGE.encode() if url == COVER else DRAWN)
    assert len(raised.value.partial) == (size // 2 if fault == "cut" else size)


def test_short_has_a_length_below_what_is_sent() -> None:
    response, body = request_spoilt(IMAGE, fault="short")
    assert int(response.headers["Content-Length"]) == len(DRAWN) // 2
    assert DRAWN.startswith(body)


def test_drip_takes_its_seconds_and_is_complete() -> None:
    started = monotonic()
    assert request_spoilt(IMAGE, fault="drip", seconds=0.2)[1] == DRAWN
    assert monotonic() - started >= 0.2


def test_hang_sends_nothing_and_lets_the_server_stop() -> None:
    with serving(make_app(ISSUES, faults=Faults([Rule(fault="hang")]))) as address:
        with closing(http.client.HTTPConnection(address.removeprefix("http://"), timeout=0.05)) as connection:
            connection.request("GET", COVER)
            with pytest.raises(TimeoutError):
                connection.getresponse()
        started = monotonic()
    assert monotonic() - started < 5


@pytest.mark.parametrize("fault", ["html", "truncate", "empty", "bomb"])
def test_invalid_image_has_a_length_that_agrees(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 89_478_485)  # Pillow's own, which the project takes off
    response, body = request_spoilt(IMAGE, fault=fault)
    assert (response.status, response.headers["Content-Type"]) == (200, "image/jpeg")
    assert int(response.headers["Content-Length"]) == len(body)
    refused = {"bomb": Image.DecompressionBombError, "truncate": OSError}.get(fault, UnidentifiedImageError)
    with pytest.raises(refused), Image.open(BytesIO(body)) as image:
        image.load()


def test_bomb_is_small_and_names_400_million_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    _, body = request_spoilt(IMAGE, fault="bomb")
    assert len(body) < 100_000
    with Image.open(BytesIO(body)) as image:
        assert image.size == (20_000, 20_000)
        image.verify()  # complete, without decoding its 400 million pixels


PAGES: dict[str, tuple[str, Callable[[str], bool]]] = {
    "no_title": (COVER, lambda page: "<h1><time>Feb. 17, <a" in page),
    "no_date": (COVER, lambda page: "<time>" not in page and "<h1>" in page),
    "no_image": (COVER, lambda page: "<img" not in page and "<figure>" in page),
    "wrong_title": (COVER, lambda page: "\n\x1b[2J" in page),
    "wrong_date": (COVER, lambda page: "<time>Smarch Feb. 17" in page),
    "wrong_image": (COVER, lambda page: 'src="file:///etc/passwd"' in page),
    "malformed": (COVER, lambda page: page.count("</") == 1 and "<h1>" in page),
    "again": (LISTING, lambda page: page.count("Large Cover") == 30),
    "back": (LISTING, lambda page: "No=15" not in page and "Next" in page),
}


@pytest.mark.parametrize("fault", PAGES)
def test_page_is_spoilt_as_its_fault_says(fault: str) -> None:
    url, is_spoilt = PAGES[fault]
    response, body = request_spoilt(url, fault=fault)
    assert response.status == 200
    assert is_spoilt(body.decode())


def test_charset_of_the_header_is_wrong() -> None:
    response, body = request_spoilt(COVER, fault="charset")
    assert (response.headers["Content-Type"], body) == ("text/html; charset=iso-8859-1", PAGE.encode())


def test_every_fault_has_a_test() -> None:
    tested = {"status", "redirect", "cut", "long", "short", "drip", "hang", "html", "truncate", "empty", "bomb"}
    assert tested | PAGES.keys() | {"charset"} == set(FAULTS)


def test_rule_spoils_each_url_it_matches_as_often_as_it_says() -> None:
    rules = [Rule(fault="status", url=r"0,16641,2014", times=2), Rule(fault="status", status=404, url="/covers/")]
    with serving(make_app(ISSUES, faults=Faults(rules))) as address:
        assert [request(address, COVER)[0].status for _ in range(4)] == [503, 503, 404, 404]
        assert [request(address, cover_url(DAYS[4]))[0].status for _ in range(3)] == [503, 503, 404]
        assert request(address, LISTING)[0].status == 200


def test_share_spoils_the_same_requests_in_any_order() -> None:
    def spoilt(urls: list[str], seed: int) -> list[str]:
        with serving(make_app(ISSUES, faults=Faults([Rule(fault="status", share=0.4)], seed))) as address:
            return sorted(url for url in urls if request(address, url)[0].status == 503)

    urls = [cover_url(day) for day in ISSUES] + [listing_url(offset=offset) for offset in range(40)]
    first = spoilt(urls, 7)
    assert 12 < len(first) < 36
    assert spoilt(urls[::-1], 7) == first
    assert spoilt(urls, 8) != first


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Expecting value"),
        ("[]", "rules"),
        ("[" * 100_000, "recursion"),
        ('{"rules": ' + "[" * 100_000, "recursion"),
        ('{"rules": [], "seed": ' + "9" * 5000 + "}", "4300 digits"),
        ('{"rules": {}}', "rules"),
        ('{"rules": [], "sed": 1}', "rules"),
        ('{"rules": ["cut"]}', "rule 1"),
        ('{"rules": [{"fault": "cut"}, {"url": "x"}]}', "rule 2"),
        ('{"rules": [{"fault": "cute"}]}', "'cute'"),
        ('{"rules": [{"fault": "cut", "tims": 1}]}', "'tims'"),
        ('{"rules": [{"fault": "cut", "url": "("}]}', "url"),
        ('{"rules": [{"fault": "cut", "times": "2"}]}', "times"),
        ('{"rules": [{"fault": "cut", "share": 10}]}', "share"),
        ('{"rules": [{"fault": "status", "status": 20}]}', "status"),
        (None, "No such file"),
    ],
)
def test_file_that_makes_no_sense_is_refused_in_one_line(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "faults.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match=re.escape(said)) as raised:
        Faults.load(file)
    assert str(raised.value).startswith(f"{file}: ")
    assert "\n" not in str(raised.value)


def test_file_of_rules_is_read(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"seed": 7, "rules": [{"fault": "status", "url": "covers", "status": 418}]}))
    with serving(make_app(ISSUES, faults=Faults.load(file))) as address:
        assert [request(address, url)[0].status for url in (COVER, LISTING)] == [418, 200]
