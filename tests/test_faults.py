"""Every fault alone, and a storm of them over the whole archive."""

import json
from datetime import date
from pathlib import Path

import pytest
from conftest import PROJECT, crawl_arguments, run_scrapy, serving
from fault_table import DAYS, END, FAULTS, HURT, START, outcomes, table

from timecoverspider.dataset.images import validate_image
from timecoverspider.replica.app import make_app
from timecoverspider.replica.faults import Faults, Rule
from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import cover_url

ALL = [day.isoformat() for day in DAYS]


def test_the_readmes_table_is_what_happens() -> None:
    assert (PROJECT / "README.md").read_text().partition(START)[2].partition(END)[0] == table()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_stays_costs_no_other_cover(name: str) -> None:
    mine, _, tutorial = outcomes()[name]
    here = [record["pubDate"] for record in mine.records]
    assert not mine.broken
    assert all(record["files"] for record in mine.records)
    assert "Traceback" not in mine.log
    assert all(len(line) < 1000 for line in mine.log.splitlines())
    if here == ALL:
        assert mine.exit_status == (3 if "leads back" in name else 0)
    elif FAULTS[name]["url"] == "No=15":
        assert (here, mine.exit_status) == (ALL[:15], 4)
    else:
        assert (here, mine.exit_status) == ([day for day in ALL if day != HURT.isoformat()], 3)
        assert f"Missing: <{cover_url(HURT)}>: " in mine.log
    assert tutorial.exit_status == 0


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_goes_away_costs_nothing(name: str) -> None:
    _, later, _ = outcomes()[name]
    assert later.exit_status == 0, later.log
    assert [record["pubDate"] for record in later.records] == ALL
    assert not later.broken


IMAGES = "img[.]timeinc"
STORM = [
    *(Rule(fault=fault, share=0.01, times=4) for fault in ("status", "cut", "long", "short", "empty")),
    Rule(fault="status", status=429, retry_after=0, share=0.01, times=4),
    Rule(fault="redirect", share=0.002, times=4),
    *(Rule(fault=fault, url=IMAGES, share=0.01, times=4) for fault in ("html", "truncate", "bomb", "no_title")),
    *(Rule(fault=fault, url="0,16641", share=0.01, times=4) for fault in ("no_title", "no_date", "no_picture")),
    Rule(fault="wrong_date", url="0,16641", share=0.01, times=4),
    Rule(fault="again", url="No=", share=0.1, times=4),
    Rule(fault="drip", seconds=0.1, share=0.005),
    Rule(fault="hang", share=0.0005, times=4),
]


def test_a_storm_of_faults_that_go_away_costs_nothing(tmp_path: Path) -> None:
    spoilt = Faults(STORM, seed=2015)
    with serving(make_app(faults=spoilt)) as address:
        for _ in range(3):  # nights; one is enough but for a machine that is slow beyond all time-outs
            done = run_scrapy(*crawl_arguments(tmp_path), "-s", "DOWNLOAD_TIMEOUT=10", cwd=tmp_path, http_proxy=address)
            if done.returncode == 0:
                break
            assert done.returncode in (3, 4), done.stderr
    assert done.returncode == 0, done.stderr
    assert spoilt.count > 800  # a tenth of the requests, tries included
    records = json.loads((tmp_path / "output.json").read_bytes())
    assert [record["pubDate"] for record in records] == [day.isoformat() for day in issue_dates()]
    for record in records:
        validate_image((tmp_path / "output" / record["files"][0]["path"]).read_bytes())


def test_in_a_storm_that_stays_nothing_is_silently_missing(tmp_path: Path) -> None:
    days = issue_dates(300)
    storm = [Rule(fault=rule.fault, url=IMAGES, share=0.1, times=None) for rule in STORM if rule.fault != "hang"]
    with serving(make_app(days, faults=Faults(storm, seed=1))) as address:
        done = run_scrapy(*crawl_arguments(tmp_path), cwd=tmp_path, http_proxy=address)
    assert done.returncode == 3
    records = json.loads((tmp_path / "output.json").read_bytes())
    here = {date.fromisoformat(record["pubDate"]) for record in records}
    missing = {day for day in days if f"Missing: <{cover_url(day)}>: " in done.stderr}
    assert 10 < len(missing) < 290
    assert here | missing == set(days)
    assert not here & missing
    for record in records:
        validate_image((tmp_path / "output" / record["files"][0]["path"]).read_bytes())
