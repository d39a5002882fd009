"""Every fault alone, and a storm of them over the complete archive."""

import json
from datetime import date
from pathlib import Path

import pytest
from data_set import failures
from fault_table import DAYS, END, FAULTS, HURT, START, TABLE_FILE, outcomes, table
from scrapy_command import crawl_arguments, run_scrapy
from serving import serving

from timecoverspider.dataset.images import validate_image
from timecoverspider.replica.app import make_app
from timecoverspider.replica.faults import Faults, Rule
from timecoverspider.replica.issues import issue_dates
from timecoverspider.replica.pages import cover_url

pytestmark = pytest.mark.slow

ALL = [day.isoformat() for day in DAYS]


def test_table_of_faults_is_what_happens() -> None:
    assert TABLE_FILE.read_text(encoding="utf-8").partition(START)[2].partition(END)[0] == table()


@pytest.mark.parametrize("name", FAULTS, ids=": ".join)
def test_fault_that_stays_costs_no_other_cover(name: tuple[str, str]) -> None:
    mine, _, tutorial = outcomes()[name]
    stored = [record["pubDate"] for record in mine.records]
    assert not mine.broken
    assert all(record["files"] for record in mine.records)
    assert "Traceback" not in mine.log
    assert all(len(line) < 1000 for line in mine.log.splitlines())
    if stored == ALL:
        assert mine.exit_status == (3 if "Next link" in name[1] else 0)
    elif FAULTS[name]["url"] == "No=15":
        assert (stored, mine.exit_status) == (ALL[:15], 4)
    else:
        assert (stored, mine.exit_status) == ([day for day in ALL if day != HURT.isoformat()], 3)
        assert f"<{cover_url(HURT)}>: " in mine.log
    assert tutorial.exit_status == 0


@pytest.mark.parametrize("name", FAULTS, ids=": ".join)
def test_fault_that_goes_away_costs_nothing(name: tuple[str, str]) -> None:
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
    *(Rule(fault=fault, url="0,16641", share=0.01, times=4) for fault in ("no_title", "no_date", "no_image")),
    Rule(fault="wrong_date", url="0,16641", share=0.01, times=4),
    Rule(fault="again", url="No=", share=0.1, times=4),
    Rule(fault="drip", seconds=0.1, share=0.005),
    Rule(fault="hang", share=0.0005, times=4),
]


def test_storm_of_faults_that_go_away_costs_nothing(tmp_path: Path) -> None:
    spoilt = Faults(STORM, seed=2015)
    with serving(make_app(faults=spoilt)) as address:
        for _ in range(3):  # one crawl is enough, except on a machine that is slower than all time-outs
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


def test_storm_of_faults_that_stay_names_every_missing_cover(tmp_path: Path) -> None:
    days = issue_dates(300)
    storm = [Rule(fault=rule.fault, url=IMAGES, share=0.1, times=None) for rule in STORM if rule.fault != "hang"]
    with serving(make_app(days, faults=Faults(storm, seed=1))) as address:
        done = run_scrapy(*crawl_arguments(tmp_path), cwd=tmp_path, http_proxy=address)
    assert done.returncode == 3
    records = json.loads((tmp_path / "output.json").read_bytes())
    stored = {date.fromisoformat(record["pubDate"]) for record in records}
    failed = failures(tmp_path)
    missing = {day for day in days if cover_url(day) in failed}
    assert 10 < len(missing) < 290
    assert stored | missing == set(days)
    assert not stored & missing
    for record in records:
        validate_image((tmp_path / "output" / record["files"][0]["path"]).read_bytes())
