"""How the replica misbehaves, seen from a plain client."""

import http.client
import json
import subprocess
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path
from time import monotonic

import pytest
from conftest import PROJECT, environment, run_scrapy, scrapy_command, serving
from PIL import Image, UnidentifiedImageError

from timecoverspider.replica.app import make_app
from timecoverspider.replica.faults import FAULTS, Faults, Rule
from timecoverspider.replica.images import draw_cover
from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import cover_page, cover_url, image_url, listing_url

DAYS = issue_dates(20)
COVER, PICTURE, LISTING = cover_url(DAYS[3]), image_url(DAYS[3]), listing_url()
PAGE, DRAWN = cover_page(DAYS[3]), draw_cover(DAYS[3], 600)


def ask(address: str, url: str) -> tuple[http.client.HTTPResponse, bytes]:
    with closing(http.client.HTTPConnection(address.removeprefix("http://"), timeout=10)) as connection:
        connection.request("GET", url)
        response = connection.getresponse()
        return response, response.read()


def answer(url: str, **rule: object) -> tuple[http.client.HTTPResponse, bytes]:
    with serving(make_app(DAYS, faults=Faults([Rule(**rule)]))) as address:  # type: ignore[arg-type]
        return ask(address, url)


def test_a_status_comes_with_and_without_retry_after() -> None:
    response, _ = answer(COVER, fault="status", status=429)
    assert (response.status, response.headers["Retry-After"]) == (429, None)
    response, _ = answer(COVER, fault="status", retry_after="Fri, 31 Dec 1999 23:59:59 GMT")
    assert (response.status, response.headers["Retry-After"]) == (503, "Fri, 31 Dec 1999 23:59:59 GMT")


def test_a_redirect_leads_where_it_is_told_or_back_to_itself() -> None:
    assert answer(COVER, fault="redirect")[0].headers["Location"] == COVER
    assert answer(COVER, fault="redirect", to="file:///etc/passwd")[0].headers["Location"] == "file:///etc/passwd"


@pytest.mark.parametrize("fault", ["cut", "long"])
@pytest.mark.parametrize("url", [COVER, PICTURE])
def test_a_connection_ends_before_the_length_is_reached(fault: str, url: str) -> None:
    with pytest.raises(http.client.IncompleteRead) as raised:
        answer(url, fault=fault)
    whole = len(PAGE.encode() if url == COVER else DRAWN)
    assert len(raised.value.partial) == (whole // 2 if fault == "cut" else whole)


def test_a_length_can_say_less_than_is_sent() -> None:
    response, body = answer(PICTURE, fault="short")
    assert int(response.headers["Content-Length"]) == len(DRAWN) // 2
    assert DRAWN.startswith(body)


def test_a_drip_takes_its_time_and_is_whole() -> None:
    started = monotonic()
    assert answer(PICTURE, fault="drip", seconds=0.5)[1] == DRAWN
    assert monotonic() - started >= 0.5


def test_a_hang_does_not_keep_the_server_from_stopping() -> None:
    with serving(make_app(DAYS, faults=Faults([Rule(fault="hang")]))) as address:
        with closing(http.client.HTTPConnection(address.removeprefix("http://"), timeout=0.2)) as connection:
            connection.request("GET", COVER)
            with pytest.raises(TimeoutError):
                connection.getresponse()
        started = monotonic()
    assert monotonic() - started < 5


@pytest.mark.parametrize("fault", ["html", "truncate", "empty", "bomb"])
def test_a_picture_is_none_under_a_length_that_agrees(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 89_478_485)  # Pillow's own, which the project takes off
    response, body = answer(PICTURE, fault=fault)
    assert (response.status, response.headers["Content-Type"]) == (200, "image/jpeg")
    assert int(response.headers["Content-Length"]) == len(body)
    refused = {"bomb": Image.DecompressionBombError, "truncate": OSError}.get(fault, UnidentifiedImageError)
    with pytest.raises(refused), Image.open(BytesIO(body)) as picture:
        picture.load()


def test_a_bomb_is_small_until_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    _, body = answer(PICTURE, fault="bomb")
    assert len(body) < 100_000
    with Image.open(BytesIO(body)) as picture:
        picture.load()
        assert picture.size == (20_000, 20_000)


PAGES: dict[str, tuple[str, Callable[[str], bool]]] = {
    "no_title": (COVER, lambda page: "<h1><time>Feb. 17, <a" in page),
    "no_date": (COVER, lambda page: "<time>" not in page and "<h1>" in page),
    "no_picture": (COVER, lambda page: "<img" not in page and "<figure>" in page),
    "wrong_title": (COVER, lambda page: "\n\x1b[2J" in page),
    "wrong_date": (COVER, lambda page: "<time>Smarch Feb. 17" in page),
    "wrong_picture": (COVER, lambda page: 'src="file:///etc/passwd"' in page),
    "malformed": (COVER, lambda page: page.count("</") == 1 and "<h1>" in page),
    "again": (LISTING, lambda page: page.count("Large Cover") == 30),
    "back": (LISTING, lambda page: "No=15" not in page and "Next" in page),
}


@pytest.mark.parametrize("fault", PAGES)
def test_a_page_says_something_else(fault: str) -> None:
    url, is_spoilt = PAGES[fault]
    response, body = answer(url, fault=fault)
    assert response.status == 200
    assert is_spoilt(body.decode())


def test_a_charset_is_wrong() -> None:
    response, body = answer(COVER, fault="charset")
    assert (response.headers["Content-Type"], body) == ("text/html; charset=iso-8859-1", PAGE.encode())


def test_every_fault_is_tested_here() -> None:
    tested = {"status", "redirect", "cut", "long", "short", "drip", "hang", "html", "truncate", "empty", "bomb"}
    assert tested | PAGES.keys() | {"charset"} == set(FAULTS)


def test_rules_meet_what_they_name_as_often_as_they_say() -> None:
    rules = [Rule(fault="status", url=r"0,16641,2014", times=2), Rule(fault="status", status=404, url="/covers/")]
    with serving(make_app(DAYS, faults=Faults(rules))) as address:
        assert [ask(address, COVER)[0].status for _ in range(4)] == [503, 503, 404, 404]
        assert [ask(address, cover_url(DAYS[4]))[0].status for _ in range(3)] == [503, 503, 404]
        assert ask(address, LISTING)[0].status == 200


def test_a_share_is_the_same_each_time_in_any_order() -> None:
    def spoilt(urls: list[str], seed: int) -> list[str]:
        with serving(make_app(DAYS, faults=Faults([Rule(fault="status", share=0.4)], seed))) as address:
            return sorted(url for url in urls if ask(address, url)[0].status == 503)

    urls = [cover_url(day) for day in DAYS] + [listing_url(offset=offset) for offset in range(40)]
    first = spoilt(urls, 7)
    assert 12 < len(first) < 36
    assert spoilt(urls[::-1], 7) == first
    assert spoilt(urls, 8) != first


def test_the_command_takes_a_file(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"seed": 7, "rules": [{"fault": "status", "url": "covers", "status": 418}]}))
    command = scrapy_command("replica", "--issues", "20", "--faults", str(file))
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        address = process.stdout.readline().partition(" at ")[2].split()[0]
        assert ask(address, COVER)[0].status == 418
        process.send_signal(2)
        assert f"It misbehaves as {file} says." in process.stdout.read()
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Expecting value"),
        ("[]", 'a list of "rules"'),
        ('{"rules": {}}', 'a list of "rules"'),
        ('{"rules": [], "sed": 1}', 'a list of "rules"'),
        ('{"rules": ["cut"]}', "rule 1"),
        ('{"rules": [{"fault": "cut"}, {"url": "x"}]}', "rule 2"),
        ('{"rules": [{"fault": "cute"}]}', "there is no fault 'cute', only status"),
        ('{"rules": [{"fault": "cut", "tims": 1}]}', "'tims'"),
        ('{"rules": [{"fault": "cut", "url": "("}]}', "url is no regular expression"),
        ('{"rules": [{"fault": "cut", "times": "2"}]}', "times cannot be '2'"),
        ('{"rules": [{"fault": "cut", "share": 10}]}', "share is 0 to 1"),
        ('{"rules": [{"fault": "status", "status": 20}]}', "status is 200 to 599"),
        (None, "No such file"),
    ],
)
def test_a_file_that_makes_no_sense_is_one_line(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "faults.json"
    if content is not None:
        file.write_text(content)
    done = run_scrapy("replica", "--faults", str(file), cwd=PROJECT)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if str(file) in line]
    assert len(lines) == 1
    assert said in lines[0]
    assert "Traceback" not in done.stderr
