"""The API's description can be read without the internet: every file comes from this server."""

import gzip
import re

import pytest

from tests.integration.server import Tenant, raw, raw_request

PAGES = ["/docs", "/redoc"]
LINK = re.compile(r"""(?:src|href|spec-url|url)\s*[=:]\s*["']([^"']+)["']""")
SCRIPT = "/docs/assets/swagger-ui-bundle.js"
# What the scripts load when asked to: only what our pages switch off may be somebody else's.
LOADED = re.compile(rb"""(?:importScripts|fetch|import|\.src\s*=)\s*\(?\s*["'](https?://[^"']+)""")


def links(anyone: Tenant, page: str) -> list[str]:
    answer = anyone.server.http.get(page)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return LINK.findall(answer.text)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_only_files_of_this_server(anyone: Tenant, page: str) -> None:
    named = links(anyone, page)

    assert named and all(link.startswith("/") and "//" not in link for link in named)
    assert "http" not in anyone.get(page).text


@pytest.mark.parametrize("page", PAGES)
def test_every_file_a_page_names_is_there(anyone: Tenant, page: str) -> None:
    for link in links(anyone, page):
        answer = anyone.server.http.get(link)

        assert answer.status_code == 200 and len(answer.content) > 50
        kind = "css" if link.endswith("css") else "javascript" if "assets" in link else "json"
        assert kind in answer.headers["content-type"]


def test_the_pages_read_our_description(anyone: Tenant) -> None:
    start = anyone.get("/docs/assets/start-swagger-ui.js").text

    assert 'url: "/openapi.json"' in start and "validatorUrl: null" in start
    assert "/openapi.json" in links(anyone, "/redoc")
    assert anyone.get("/openapi.json").headers["content-type"] == "application/json"


@pytest.mark.parametrize("page", PAGES)
def test_the_browser_is_told_to_load_nothing_from_elsewhere(anyone: Tenant, page: str) -> None:
    policy = anyone.get(page).headers["content-security-policy"]

    assert "default-src 'none'" in policy and "script-src 'self'" in policy
    assert "connect-src 'self'" in policy and "http" not in policy and "*" not in policy


@pytest.mark.parametrize("path", [SCRIPT, "/docs/assets/redoc.standalone.js"])
def test_a_script_fetches_nothing_by_itself(anyone: Tenant, path: str) -> None:
    assert LOADED.findall(anyone.get(path).content) == []


@pytest.mark.parametrize("path", [SCRIPT, "/docs/assets/swagger-ui.css"])
async def test_a_file_is_packed_only_for_who_can_unpack_it(anyone: Tenant, path: str) -> None:
    plain = await raw(anyone.server, raw_request("GET", path))
    packed = await raw(anyone.server, raw_request("GET", path, b"Accept-Encoding: gzip"))

    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body and len(packed.body) < len(plain.body)


@pytest.mark.parametrize("accepted", [b"identity", b"gzip;q=0", b"br", b"*;q=0"])
async def test_who_refuses_gzip_gets_none(anyone: Tenant, accepted: bytes) -> None:
    answer = await raw(
        anyone.server,
        raw_request("GET", "/docs/assets/swagger-ui.css", b"Accept-Encoding: " + accepted),
    )

    assert answer.status == 200 and "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "nope.js",
        "swagger-ui.css.gz",
        "..%2Froutes.py",
        "%2e%2e/routes.py",
        "%00",
        "a/b",
    ],
)
def test_no_other_file_can_be_had(anyone: Tenant, name: str) -> None:
    assert anyone.get(f"/docs/assets/{name}").status_code == 404
