"""Names are resolved to public addresses only, unless the spider names the host."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from components import make_crawler
from scrapy import Spider

from timecoverspider.downloadhandlers import HTTPDownloadHandler, _PublicResolver

PRIVATE = ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0", "::1", "fe80::1%eth0", "fd00::1"]


class FakeResolver(AbstractResolver):
    """Resolves any name to the given addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses, self.is_closed = addresses, False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.addresses
        ]

    async def close(self) -> None:
        self.is_closed = True


def resolve(host: str, *addresses: str, named: tuple[str, ...] = ()) -> list[str]:
    resolver = _PublicResolver(FakeResolver(*addresses), frozenset(named))
    return [result["host"] for result in asyncio.run(resolver.resolve(host, 80))]


def test_name_with_public_addresses_is_resolved() -> None:
    assert resolve("example.com", "93.184.215.14", "2606:4700::1111") == ["93.184.215.14", "2606:4700::1111"]


@pytest.mark.parametrize("address", PRIVATE)
def test_name_with_a_private_address_is_refused(address: str) -> None:
    with pytest.raises(OSError, match=r"rebind\.example is on this machine or its network"):
        resolve("rebind.example", "93.184.215.14", address)


@pytest.mark.parametrize("host", ["intranet.example", "www.intranet.example"])
def test_host_that_the_spider_names_may_have_a_private_address(host: str) -> None:
    assert resolve(host, "10.1.2.3", named=("intranet.example",)) == ["10.1.2.3"]
    with pytest.raises(OSError, match="its network"):
        resolve(f"bad{host.removeprefix('www.')}", "10.1.2.3", named=("intranet.example",))


def test_resolver_is_closed_with_the_handler() -> None:
    fake = FakeResolver()
    asyncio.run(_PublicResolver(fake, frozenset()).close())
    assert fake.is_closed


class Named(Spider):
    name = "named"
    allowed_domains = ("Allowed.example",)
    start_urls = ("http://start.example:8080/",)


def resolver_of(folder: Path | None) -> Any:
    async def make() -> Any:
        with make_crawler(folder, Named) as crawler:
            handler = HTTPDownloadHandler(crawler)
            try:
                connector: Any = handler._session.connector
                return connector._resolver
            finally:
                await handler.close()

    return asyncio.run(make())


def test_crawl_resolves_the_spiders_hosts_and_the_proxies_to_any_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://me:secret@proxy.example:3128")
    resolver = resolver_of(tmp_path)
    assert isinstance(resolver, _PublicResolver)
    assert resolver._named == {"allowed.example", "start.example", "proxy.example"}


def test_command_without_a_data_set_resolves_every_name() -> None:
    assert not isinstance(resolver_of(None), _PublicResolver)
