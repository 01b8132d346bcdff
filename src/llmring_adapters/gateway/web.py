"""Asking providers over HTTP/1.1, with aiohttp.

httpx, which asks registries, collapses when many calls are under way at once: at 128 connections it
was measured at 44 ms of processor time for each, where this costs 0.1 ms.
"""

from asyncio import Timeout, get_running_loop, timeout
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from functools import lru_cache, partial
from io import BytesIO

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientPayloadError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.client_proto import ResponseHandler
from multidict import CIMultiDict
from yarl import URL

from llmring_core.gateway.forwarding import (
    Body,
    Provider,
    Upstream,
    UpstreamAnswer,
    UpstreamBroken,
    UpstreamBusy,
    UpstreamFailed,
    UpstreamRedirects,
    UpstreamRequest,
    UpstreamTimeout,
    UpstreamUnreachable,
)

MAX_AT_ONCE = 1000  # calls under way to one provider
MAX_HEADER = 16 * 1024  # bytes of one header of an answer
MAX_HEADERS = 100
READ_AHEAD = 64 * 1024  # bytes of an answer; twice as many make the sender wait
REDIRECTS = frozenset({300, 301, 302, 303, 305, 307, 308})
SWITCHING = 101
READABLE = frozenset({"", "chunked", "identity"})  # what a body may be wrapped in on its way
LARGE = 256 * 1024  # bytes of a body that is sent in pieces
EVENT_STREAM = "text/event-stream"
NOT_ADDED = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


class WebAnswer(UpstreamAnswer):
    """An answer whose body is still coming."""

    def __init__(self, response: ClientResponse, provider: Provider, slots: Counter[str]) -> None:
        self._response = response
        self._provider = provider.name
        self._slots = slots
        self._idle_s = provider.timeouts.idle_s
        is_stream = response.content_type == EVENT_STREAM
        whole_s = provider.timeouts.stream_s if is_stream else provider.timeouts.answer_s
        self._loop = get_running_loop()
        self._until = self._loop.time() + whole_s
        self._is_open = True
        self._headers = [(name.lower(), value) for name, value in response.raw_headers]

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        return self._headers

    async def read(self) -> bytes:
        content = self._response.content
        left_s = self._until - self._loop.time()
        try:
            if left_s <= 0:
                raise TimeoutError
            if content._buffer or content.at_eof():  # as most of a short answer is read
                return await content.readany()
            async with timeout(min(left_s, self._idle_s)):
                return await content.readany()
        except TimeoutError as error:
            raise UpstreamTimeout from error
        except (ClientError, OSError) as error:
            if content._buffer:  # it came before the connection broke, and may hold the usage
                return content._read_nowait(-1)
            raise UpstreamBroken from error

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._slots[self._provider] -= 1
            if not self._response.closed:  # as it is once it was read to its end
                self._response.close()


class WebUpstream(Upstream):
    """One pool of connections for each provider."""

    def __init__(self, max_at_once: int = MAX_AT_ONCE) -> None:
        self._max_at_once = max_at_once
        self._sessions: dict[str, ClientSession] = {}
        self._slots: Counter[str] = Counter()  # calls under way

    async def ask(self, request: UpstreamRequest) -> WebAnswer:
        provider = request.provider
        if self._slots[provider.name] >= self._max_at_once:
            raise UpstreamBusy
        self._slots[provider.name] += 1
        try:
            response = await self._asked(request)
        except BaseException:
            self._slots[provider.name] -= 1
            raise
        answer = WebAnswer(response, provider, self._slots)
        problem = _problem_of(response)
        if problem is not None:
            answer.close()
            raise problem
        return answer

    async def close(self) -> None:
        """Let go of every connection."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def _asked(self, request: UpstreamRequest) -> ClientResponse:
        headers = CIMultiDict(
            [(str(name, "latin-1"), str(value, "latin-1")) for name, value in request.headers]
        )
        if request.length is not None and not isinstance(request.body, bytes):
            headers["Content-Length"] = str(request.length)
        first_byte_s = request.provider.timeouts.first_byte_s
        try:
            async with timeout(None) as waiting:
                return await self._session(request.provider).request(
                    request.method,
                    address(request.provider.origin + request.target),
                    headers=headers,
                    data=_sent(request.body, waiting, first_byte_s),
                    allow_redirects=False,
                )
        except TimeoutError as error:
            raise UpstreamTimeout from error
        except ClientConnectorError as error:
            raise UpstreamUnreachable from error
        except (ClientError, OSError, ValueError) as error:
            raise UpstreamBroken from error

    def _session(self, provider: Provider) -> ClientSession:
        session = self._sessions.get(provider.name)
        if session is None:
            session = self._sessions[provider.name] = _opened(provider)
        return session


class _Connection(ResponseHandler):
    """Tells a body that its connection is of no use; aiohttp has it wait where chunks are none."""

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        super().set_exception(exc, *cause)
        body = self._payload
        if body is not None and not body.is_eof() and body.exception() is None:
            body.set_exception(ClientPayloadError(str(exc)))


def _problem_of(response: ClientResponse) -> UpstreamFailed | None:
    """Return why the answer with this head cannot be passed on."""
    if response.status in REDIRECTS:
        return UpstreamRedirects()
    wrapped = response.headers.get("Transfer-Encoding", "").strip().lower()
    if response.status == SWITCHING or wrapped not in READABLE:
        return UpstreamBroken()
    return None


@lru_cache(1024)  # most calls are to the same few
def address(url: str) -> URL:
    return URL(url, encoded=True)


def _opened(provider: Provider) -> ClientSession:
    times = provider.timeouts
    connector = TCPConnector(limit=0, keepalive_timeout=times.keep_alive_s)
    made = partial(_Connection, loop=get_running_loop())
    connector._factory = made  # type: ignore[assignment]  # mypy knows no subclass of a partial
    return ClientSession(
        connector=connector,
        timeout=ClientTimeout(total=None, connect=times.connect_s),
        auto_decompress=False,
        cookie_jar=DummyCookieJar(),  # else one tenant's cookies go along with another's calls
        skip_auto_headers=NOT_ADDED,
        trust_env=False,
        read_bufsize=READ_AHEAD,
        max_line_size=MAX_HEADER,
        max_field_size=MAX_HEADER,
        max_headers=MAX_HEADERS,
    )


def _sent(body: Body, waiting: Timeout, first_byte_s: float) -> Body | BytesIO | None:
    """Return ``body`` such that the wait for the answer begins when it has been sent."""
    if isinstance(body, bytes):
        waiting.reschedule(get_running_loop().time() + first_byte_s)
        return BytesIO(body) if len(body) > LARGE else body or None
    return _timed(body, waiting, first_byte_s)


async def _timed(
    body: AsyncIterator[bytes], waiting: Timeout, first_byte_s: float
) -> AsyncIterator[bytes]:
    async for piece in body:
        yield piece
    waiting.reschedule(get_running_loop().time() + first_byte_s)
