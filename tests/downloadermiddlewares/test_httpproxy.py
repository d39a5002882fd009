"""Which proxy a live request goes through."""

from base64 import b64encode

import pytest
from aiohttp import web
from downloading import app_of, download
from serving import serving


@pytest.mark.parametrize("through", ["meta", "environment"])
def test_proxy_gets_its_credentials(monkeypatch: pytest.MonkeyPatch, through: str) -> None:
    async def show(request: web.Request) -> web.StreamResponse:
        return web.Response(text=f"{request.raw_path} {request.headers.get('Proxy-Authorization')}")

    with serving(app_of(show)) as address:
        proxy = address.replace("//", "//me:secret@")
        monkeypatch.setenv("http_proxy", proxy if through == "environment" else "http://127.0.0.1:9")
        shown = download("http://search.time.com/robots.txt", **({"proxy": proxy} if through == "meta" else {}))
    assert shown.text == f"http://search.time.com/robots.txt Basic {b64encode(b'me:secret').decode()}"


@pytest.mark.parametrize(
    ("variables", "through_proxy"),
    [
        ({}, False),
        ({"http_proxy": "{}"}, True),
        ({"http_proxy": "{}", "no_proxy": "127.0.0.1"}, False),
        ({"http_proxy": "{}", "no_proxy": "other.com"}, True),
        ({"https_proxy": "{}"}, False),
    ],
)
def test_live_obeys_the_proxies_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], through_proxy: bool
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    async def echo(request: web.Request) -> web.StreamResponse:
        return web.Response(text=request.raw_path)

    with serving(app_of(echo)) as address, serving(app_of(echo)) as proxy:
        for name, value in variables.items():
            monkeypatch.setenv(name, value.format(proxy))
        assert (download(f"{address}/a").text == f"{address}/a") == through_proxy
        assert download(f"{address}/a", {"HTTPPROXY_ENABLED": False}).text == "/a"
