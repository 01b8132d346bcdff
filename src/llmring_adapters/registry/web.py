"""The public registry over HTTP. Whatever it answers, it costs bounded time and memory."""

from asyncio import gather, timeout, to_thread

import httpx
from msgspec import Struct

from llmring_core.registry import (
    PROVIDERS,
    BadRegistryFile,
    Fetched,
    ProviderFile,
    RegistrySource,
    RegistryUnavailable,
    read_file,
)

MAX_BYTES = 8 * 1024 * 1024  # of one file
MAX_ETAG = 256  # characters
PLAIN = {"", "application/octet-stream", "text/plain"}  # of hosts that do not look into a file
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

    async def fetch(self) -> Fetched:
        found = await gather(*map(self._file, PROVIDERS))
        files = [file for file in found if isinstance(file, ProviderFile)]
        refused = [problem for problem in found if not isinstance(problem, ProviderFile)]
        problems = {problem.provider: problem.reason for problem in refused}
        return Fetched(files=files, problems=problems)

    async def _file(self, provider: str) -> ProviderFile | RegistryUnavailable | BadRegistryFile:
        try:
            return await to_thread(read_file, provider, await self.body(provider))
        except (RegistryUnavailable, BadRegistryFile) as problem:
            return problem

    async def body(self, provider: str) -> bytes:
        """Return a provider's file as published. Raises RegistryUnavailable."""
        try:
            async with timeout(self._total_s):
                return await self._asked(provider)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RegistryUnavailable(provider, type(error).__name__) from error
        except TimeoutError as error:
            raise RegistryUnavailable(provider, f"took over {self._total_s:g} s") from error

    async def _asked(self, provider: str) -> bytes:
        known = self._answers.get(provider)
        # Without compression, the bytes we count are the bytes we keep.
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        if known is not None:
            headers["if-none-match"] = known.etag
        url = f"{self._base_url}/{provider}/models.json"
        async with self._client.stream("GET", url, headers=headers) as response:
            if known is not None and response.status_code == httpx.codes.NOT_MODIFIED:
                return known.body
            body = await _received(provider, response)
        self._remember(provider, response.headers.get("etag"), body)
        return body

    def _remember(self, provider: str, etag: str | None, body: bytes) -> None:
        self._answers.pop(provider, None)
        if (
            etag is not None and etag.isascii() and len(etag) <= MAX_ETAG
        ):  # it goes back as a header
            self._answers[provider] = _Answer(etag, body)


async def _received(provider: str, response: httpx.Response) -> bytes:
    if response.status_code != httpx.codes.OK:
        raise RegistryUnavailable(provider, f"answered {response.status_code}")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise RegistryUnavailable(provider, "answered in an encoding nobody asked for")
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (media_type in PLAIN or media_type.endswith(("/json", "+json"))):
        raise RegistryUnavailable(provider, f"answered with {media_type[:60]} instead of JSON")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_BYTES:
            raise RegistryUnavailable(provider, f"answered more than {MAX_BYTES} bytes")
    return bytes(body)
