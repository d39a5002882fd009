"""What a spider's attributes say about its site and its data set."""

import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from scrapy import Spider
from scrapy.settings import SETTINGS_PRIORITIES, BaseSettings

# Names below the folder of the main spider's data set, which another spider's folder must not have.
_TAKEN = frozenset({"full", "gallery", "unknown", "rejected", "thumbnails", "averages", "exports"})
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


def _start_urls(spider: Spider | type[Spider]) -> list[object]:
    """Return the start URLs of a spider, and those of a SitemapSpider."""
    return [url for name in ("start_urls", "sitemap_urls") for url in getattr(spider, name, None) or ()]


def start_hosts(spider: Spider | type[Spider]) -> set[str]:
    """Return the hosts of a spider's start URLs, in lower case."""
    return {host for url in _start_urls(spider) if (host := _host(url))}


def start_ports(spider: Spider | type[Spider]) -> set[tuple[str, int]]:
    """Return the host and the port of each start URL that names a port."""
    found = set()
    for url in _start_urls(spider):
        with suppress(ValueError):
            parts = urlsplit(str(url))
            if parts.port:
                found.add(((parts.hostname or "").lower(), parts.port))
    return found


def allowed_domains(spider: Spider | type[Spider]) -> set[str]:
    """Return a spider's allowed domains, in lower case; of a URL or a domain with a port, the host."""
    return {_domain(str(entry)) for entry in getattr(spider, "allowed_domains", None) or () if entry}


def _domain(entry: str) -> str:
    if "//" in entry:
        return _host(entry)
    domain = entry.partition("/")[0].lower()
    return domain.partition(":")[0] if domain.count(":") == 1 else domain  # not of an IPv6 address


def site_of(spider: Spider) -> set[str]:
    """Return the hosts by which the site of a spider is known: those of its start URLs, or its allowed domains."""
    return start_hosts(spider) or allowed_domains(spider)


def is_same_site(hosts: Collection[str], others: Collection[str]) -> bool:
    """Return whether two spiders crawl the same site: they have a host in common, or one does not name any.

    >>> is_same_site(["example.com"], ["www.example.com"]), is_same_site(["example.com"], ["example.org"])
    (True, False)
    """
    return not hosts or not others or any(_is_same_host(host, other) for host in hosts for other in others)


def _is_same_host(host: str, other: str) -> bool:
    host, other = host.removeprefix("www."), other.removeprefix("www.")
    return host == other or host.endswith(f".{other}") or other.endswith(f".{host}")


def _host(url: object) -> str:
    try:
        return (urlsplit(str(url)).hostname or "").lower()
    except ValueError:
        return ""


def dataset_options(settings: BaseSettings, folder: Path) -> list[str]:
    """Return the options with which another command finds the data set in a folder."""
    is_set = (settings.getpriority("FILES_STORE") or 0) >= SETTINGS_PRIORITIES["cmdline"]
    return ["-s", f"FILES_STORE={folder}"] if is_set else []


def dataset_folder(settings: BaseSettings, name: str) -> str:
    """Return the folder of a spider's data set.

    FILES_STORE of settings.py is the folder of MAIN_SPIDER; any other spider has a folder with its name in it. If the
    command line or the spider sets FILES_STORE, that is the folder.

    Raises: ValueError if the name of the spider cannot be the name of its folder.
    """
    folder: str = settings["FILES_STORE"]
    is_set = (settings.getpriority("FILES_STORE") or 0) > SETTINGS_PRIORITIES["project"]
    if is_set or name == settings["MAIN_SPIDER"]:
        return folder
    if not _FOLDER.fullmatch(name) or name.lower() in _TAKEN:
        raise ValueError(
            f"the spider's name {name!r} cannot be the name of a folder in {folder}: choose another name, of letters, "
            f"digits, - and _, or set FILES_STORE"
        )
    return str(Path(folder) / name)
