"""A witness over HTTP. Whatever it answers, it costs bounded time and memory."""

import re
from asyncio import timeout

import httpx

from llmring_core.transparency import NoteKey, OtherTree, Witness, WitnessUnavailable

MAX_BYTES = 64 * 1024  # of an answer
TOTAL_S = 5.0  # for one answer, however slowly it drips
SIZE_TYPE = "text/x.tlog.size"
SIZE = re.compile(rb"(0|[1-9]\d{0,15})\n")


def witness_client() -> httpx.AsyncClient:
    """Return a client fit for ``WebWitness``; whoever asked closes it."""
    return httpx.AsyncClient(timeout=TOTAL_S, trust_env=False, follow_redirects=False)


class WebWitness(Witness):
    def __init__(
        self, client: httpx.AsyncClient, url: str, key: NoteKey, total_s: float = TOTAL_S
    ) -> None:
        """``url`` is what comes before ``/add-checkpoint``."""
        self._client = client
        self._url = f"{url.rstrip('/')}/add-checkpoint"
        self._key = key
        self._total_s = total_s

    @property
    def key(self) -> NoteKey:
        return self._key

    async def add(self, body: str) -> str:
        try:
            async with timeout(self._total_s):
                return (await self._asked(body.encode())).decode()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise WitnessUnavailable(f"the witness is away: {type(error).__name__}") from error
        except TimeoutError as error:
            raise WitnessUnavailable(f"the witness took over {self._total_s:g} s") from error
        except UnicodeDecodeError as error:
            raise WitnessUnavailable("the witness answered no text") from error

    async def _asked(self, body: bytes) -> bytes:
        # Without compression, the bytes we count are the bytes we keep.
        headers = {"accept-encoding": "identity", "content-type": "text/plain; charset=utf-8"}
        async with self._client.stream(
            "POST", self._url, content=body, headers=headers
        ) as response:
            answer = await _received(response)
        if response.status_code == httpx.codes.OK:
            return answer
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        size = SIZE.fullmatch(answer)
        if response.status_code == httpx.codes.CONFLICT and media_type == SIZE_TYPE and size:
            raise OtherTree(int(size[1]))
        raise WitnessUnavailable(f"the witness answered {response.status_code}")


async def _received(response: httpx.Response) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise WitnessUnavailable("the witness answered in an encoding nobody asked for")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_BYTES:
            raise WitnessUnavailable(f"the witness answered more than {MAX_BYTES} bytes")
    return bytes(body)
