"""Settings are checked once, before a command does anything."""

from pathlib import Path
from typing import Any

import pytest
from mock_archive import DAYS, MockArchive
from scrapy.settings import Settings
from scrapy_command import SPIDER, run_scrapy

from timecoverspider.utils import settings as checked
from timecoverspider.utils.settings import check_settings


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names no proxy."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


def check(**changes: Any) -> None:
    settings = Settings()
    settings.setmodule("timecoverspider.settings")
    settings.setdict(changes)
    check_settings(settings)


def test_settings_of_the_project_are_valid() -> None:
    check()


@pytest.mark.parametrize("name", sorted(checked._defaults()))
def test_setting_that_is_a_number_or_a_boolean_is_refused_if_it_is_a_word(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be .*'abc'$") as raised:
        check(**{name: "abc"})
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    "name",
    ["CONCURRENT_ITEMS", "CONCURRENT_REQUESTS", "CONCURRENT_REQUESTS_PER_DOMAIN", "PAGE_MAXSIZE",
     "REACTOR_THREADPOOL_MAXSIZE", "SCRAPER_SLOT_MAX_ACTIVE_SIZE"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["-1", "0", 0, "", "1e3", "8.5", "None", None])
def test_limit_with_which_a_crawl_never_ends_is_refused(name: str, value: object) -> None:
    if value is None:
        check(**{name: value})  # as if the setting did not exist
        return
    with pytest.raises(ValueError, match=f"^{name} must be an integer, 1 or more, not "):
        check(**{name: value})


@pytest.mark.parametrize("value", ["inf", "nan", "-1", "1e9", "9" * 5000])
def test_number_of_days_that_is_no_number_of_days_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"^AUDIT_EVERY_DAYS must be a number"):
        check(AUDIT_EVERY_DAYS=value)


@pytest.mark.parametrize(
    "change",
    [{"DOWNLOAD_DELAY": "nan"}, {"DOWNLOAD_TIMEOUT": "0"}, {"RETRY_BACKOFF": "-1"}, {"RETRY_TIMES": "-1"},
     {"UNREADABLE_LIMIT": "1.5"}, {"LOGSTATS_INTERVAL": "inf"}, {"DOWNLOAD_MAXSIZE": "-1"}, {"DOWNLOAD_DELAY": "1e300"},
     {"CONCURRENT_REQUESTS_PER_IP": "-1"}],
)  # fmt: skip
def test_number_out_of_range_is_refused(change: dict[str, str]) -> None:
    [name] = change
    with pytest.raises(ValueError, match=f"^{name} must be "):
        check(**change)


@pytest.mark.parametrize(
    "change",
    [{"CONCURRENT_REQUESTS": "8"}, {"DOWNLOAD_DELAY": "0.5"}, {"AUDIT_EVERY_DAYS": "0.5"}, {"RETRY_BACKOFF": 0},
     {"LOG_LEVEL": "WARNING"}, {"LOG_LEVEL": 10}, {"FEED_EXPORT_INDENT": None}, {"DOWNLOAD_MAXSIZE": "0"},
     {"AUTOTHROTTLE_ENABLED": "False"}, {"DEPTH_PRIORITY": "-1"}],
)  # fmt: skip
def test_value_that_a_crawl_can_use_is_accepted(change: dict[str, Any]) -> None:
    check(**change)


@pytest.mark.parametrize("level", ["NOPE", "debug", "10", ""])
def test_level_that_the_log_does_not_have_is_refused(level: str) -> None:
    with pytest.raises(ValueError, match=r"^LOG_LEVEL must be DEBUG"):
        check(LOG_LEVEL=level)


@pytest.mark.parametrize("name", ["none/crawl.log", "."])
def test_log_file_that_cannot_be_written_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"^cannot write the log file ") as raised:
        check(LOG_FILE=str(tmp_path / name))
    assert str(tmp_path / name) in str(raised.value)


def test_log_file_that_exists_keeps_its_lines(tmp_path: Path) -> None:
    log = tmp_path / "crawl.log"
    log.write_text("yesterday\n")
    check(LOG_FILE=str(log))
    assert log.read_text() == "yesterday\n"


@pytest.mark.parametrize("variable", ["http_proxy", "https_proxy"])
@pytest.mark.parametrize(
    "url",
    ["http://me:secret@", "http://me:secret@host:port", "socks5://me:secret@127.0.0.1:9", "http://", "://me:secret@h:1",
     "http://me:secret@[::1", "http://me:secret@127.0.0.1:99999", "http://me:secret@h:-1", "http://me:sec/ret@h:-1",
     "http://me:secret@host:80:80", "http://me:secret#@h:x", "ftp://me:secret?@h", "me:secret@h:port",
     "//me:secret@127.0.0.1:9", "http:/me:secret@h", "http://me:secret@.:9", f"http://me:secret@{'x' * 300}:9"],
)  # fmt: skip
def test_proxy_that_is_no_url_of_a_proxy_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, variable: str, url: str
) -> None:
    monkeypatch.setenv(variable, url)
    with pytest.raises(ValueError, match=f"^the proxy in {variable} must be ") as raised:
        check()
    assert "secret" not in str(raised.value)
    assert "ret@" not in str(raised.value)


@pytest.mark.parametrize("password", ["secret", "se/cret", "se?cret", "se#cret", "se@cret", "se:cret", "se%2Fcret"])
@pytest.mark.parametrize("form", ["http://me:{}@127.0.0.1:9", "http://me:{}@proxy:3128/", "me:{}@proxy"])
def test_proxy_with_any_password_is_accepted(monkeypatch: pytest.MonkeyPatch, form: str, password: str) -> None:
    monkeypatch.setenv("http_proxy", form.format(password))
    check()


@pytest.mark.parametrize(
    "arguments",
    [
        ["-s", "CONCURRENT_REQUESTS=-1"],
        ["-s", "LOGSTATS_INTERVAL=abc"],
        ["-L", "NOPE"],
        ["--logfile", "none/crawl.log"],
    ],
)
@pytest.mark.parametrize("command", [["crawl", SPIDER], ["verify"], ["shell", "-c", "1"]])
def test_wrong_setting_is_one_line_and_wrong_usage_in_every_command(
    tmp_path: Path, command: list[str], arguments: list[str]
) -> None:
    done = run_scrapy(*command, "-s", f"FILES_STORE={tmp_path / 'output'}", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("scrapy: error: ")
    assert arguments[-1].rpartition("=")[2] in line
    assert not list(tmp_path.iterdir())


def test_malformed_proxy_is_one_line_before_anything_is_requested(tmp_path: Path) -> None:
    done = run_scrapy("crawl", SPIDER, cwd=tmp_path, http_proxy="http://me:sec#ret@host:port")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "http_proxy" in line
    assert "ret" not in line.replace("://user:password@", "")


def test_least_limits_let_a_crawl_end(tmp_path: Path) -> None:
    limits = ["CONCURRENT_REQUESTS=1", "CONCURRENT_REQUESTS_PER_DOMAIN=1", "CONCURRENT_ITEMS=1",
              "SCRAPER_SLOT_MAX_ACTIVE_SIZE=1", "REACTOR_THREADPOOL_MAXSIZE=1"]  # fmt: skip
    done = MockArchive(DAYS[:5]).crawl(tmp_path, *(word for limit in limits for word in ("-s", limit)))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "change",
    [{"DOWNLOAD_SLOTS": {"a": {"concurrency": 0}}}, {"DOWNLOAD_SLOTS": {"a": {"delay": -1}}},
     {"DOWNLOAD_SLOTS": {"a": 8}}, {"RETRY_HTTP_CODES": ["abc"]}],
)  # fmt: skip
def test_slot_or_status_that_a_crawl_cannot_use_is_refused(change: dict[str, Any]) -> None:
    [name] = change
    with pytest.raises(ValueError, match=name):
        check(**change)
