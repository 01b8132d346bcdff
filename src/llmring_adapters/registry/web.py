"""The public registry over HTTP. Whatever it answers, it costs bounded time and memory."""

from asyncio import timeout

import httpx
from msgspec import Struct

from llmring_core.registry import RegistrySource, RegistryUnavailable

MAX_BYTES = 8 * 1024 * 1024  # of one file
MAX_ETAG = 256  # characters
TOTAL_S = 30.0  # for one file, however slowly it drips
TIMEOUT = httpx.Timeout(5.0)  # seconds to connect, and between two reads


class _Answer(Struct, frozen=True):
    etag: str
    body: bytes


def registry_client() -> httpx.AsyncClient:
    """Return a client fit for ``WebRegistrySource``; whoever asked closes it."""
    return httpx.AsyncClient(timeout=TIMEOUT, trust_env=False, follow_redirects=False)


class WebRegistrySource(RegistrySource):
    """Remembers each file with its ETag, so that an unchanged one is not sent again.

    The bytes are kept, not just the tag: when a refresh fails later on, the next one starts from
    the same file and not from "unchanged".
    """

    def __init__(self, client: httpx.AsyncClient, base_url: str, total_s: float = TOTAL_S) -> None:
        self._client = client
        self._total_s = total_s
        self._base_url = base_url.rstrip("/")
        self._answers: dict[str, _Answer] = {}

    async def fetch(self, provider: str) -> bytes:
        try:
            async with timeout(self._total_s):
                return await self._fetch(provider)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RegistryUnavailable(provider, type(error).__name__) from error
        except TimeoutError as error:
            raise RegistryUnavailable(provider, f"took over {self._total_s:g} s") from error

    async def _fetch(self, provider: str) -> bytes:
        known = self._answers.get(provider)
        # Without compression, the bytes we count are the bytes we keep.
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        if known is not None:
            headers["if-none-match"] = known.etag
        url = f"{self._base_url}/{provider}/models.json"
        async with self._client.stream("GET", url, headers=headers) as response:
            if known is not None and response.status_code == httpx.codes.NOT_MODIFIED:
                return known.body
            body = await _body(provider, response)
        self._remember(provider, response.headers.get("etag"), body)
        return body

    def _remember(self, provider: str, etag: str | None, body: bytes) -> None:
        self._answers.pop(provider, None)
        if (
            etag is not None and etag.isascii() and len(etag) <= MAX_ETAG
        ):  # it goes back as a header
            self._answers[provider] = _Answer(etag, body)


async def _body(provider: str, response: httpx.Response) -> bytes:
    if response.status_code != httpx.codes.OK:
        raise RegistryUnavailable(provider, f"answered {response.status_code}")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise RegistryUnavailable(provider, "answered in an encoding nobody asked for")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_BYTES:
            raise RegistryUnavailable(provider, f"answered more than {MAX_BYTES} bytes")
    return bytes(body)
