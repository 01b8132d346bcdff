"""Requests that are repeated when that may help, and counted once however often."""

import asyncio
from collections.abc import Mapping
from secrets import SystemRandom
from typing import Final

import httpx

from llmring_client.errors import error_of
from llmring_core.errors import Unavailable

TRIES: Final = 5
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
WORTH_REPEATING: Final = frozenset({408, 429, 502, 503, 504})
IN_FLIGHT: Final = 409  # of a request with an Idempotency-Key


class Transport:
    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._chance = SystemRandom()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Return the answer, whose status is 2xx.

        Repeated on lost connections and passing errors, up to five times, with full jitter and as
        the server's Retry-After says; a POST must carry an Idempotency-Key.
        Raises: LLMRingError, of the family that the status stands for.
        """
        for attempt in range(1, TRIES + 1):
            try:
                answer = await self._http.request(
                    method, path, params=query, content=body, headers=headers
                )
            except httpx.TransportError as error:
                if attempt == TRIES:
                    raise Unavailable(f"the server cannot be reached: {error}") from error
                await asyncio.sleep(self._wait_s(attempt, None))
                continue
            if answer.is_success:
                return answer
            if attempt == TRIES or not _worth_repeating(answer):
                raise error_of(answer.status_code, answer.content)
            await asyncio.sleep(self._wait_s(attempt, answer.headers.get("Retry-After")))
        raise AssertionError("unreachable: the last try returns or raises")

    def _wait_s(self, attempt: int, retry_after: str | None) -> float:
        if retry_after is not None and retry_after.isdecimal():
            return min(float(retry_after), LONGEST_WAIT_S)
        longest = min(FIRST_WAIT_S * 2 ** (attempt - 1), LONGEST_WAIT_S)
        return self._chance.uniform(0, longest)


def _worth_repeating(answer: httpx.Response) -> bool:
    in_flight = answer.status_code == IN_FLIGHT and "Retry-After" in answer.headers
    return answer.status_code in WORTH_REPEATING or in_flight
