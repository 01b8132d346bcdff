"""What the gateway's callers send, and what they were answered."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from random import Random

from msgspec import json

from bench.books import Sums
from bench.provider import COMPLETION, DONE, FRAMES
from bench.traffic import Unpriced
from llmring_adapters.registry.bundled import bundled_snapshot
from llmring_adapters.registry.live import LiveRegistry
from llmring_adapters.system import time_ordered_id, utc_now
from llmring_core.ids import ProjectId, UsageId
from llmring_core.usage import Tokens, UsageToLog, recorded

PATH = "/v1/chat/completions"
TEMPLATES = 64  # different requests, sent in turn
DIFFERENT = 8  # of them where answers are to come from a cache
MODELS = ("gpt-4o-mini", "gpt-4.1", "gpt-5-mini")
WORDS = ("invoice", "parcel", "refund", "Tuesday", "customer", "was", "the", "not", "again", "of")
TOKENS = Tokens(input_uncached=800, input_cache_read=400, output=180)  # of each, as it tells
EACH = 800 + 400 + 180
PROJECT = ProjectId("01a1fb83-d665-7506-b0d8-a439d5132212")
CLIENT = (  # what OpenAI's own client sends with each call
    "accept: application/json",
    "accept-encoding: gzip, deflate",
    "connection: keep-alive",
    "content-type: application/json",
    "user-agent: OpenAI/Python 2.8.0",
    "x-stainless-arch: x64",
    "x-stainless-async: false",
    "x-stainless-lang: python",
    "x-stainless-os: Linux",
    "x-stainless-package-version: 2.8.0",
    "x-stainless-read-timeout: 600",
    "x-stainless-retry-count: 0",
    "x-stainless-runtime: CPython",
    "x-stainless-runtime-version: 3.11.7",
)


class Calls:
    """Chat completions, which have to come back byte by byte as the provider answers them."""

    def __init__(self, token: str, *headers: str) -> None:
        self._requests = _requests(token, {}, headers)
        self._models = Counter[str]()
        self.sent = 0

    def next(self) -> tuple[int, bytes]:
        self.sent += 1
        number = self.sent % len(self._requests)
        return number, self._requests[number]

    def accepted(self, number: int, answer: bytes) -> None:
        """Raises AssertionError."""
        self.check(answer)
        self._models[_model(number)] += 1

    def check(self, answer: bytes) -> None:
        """Raises AssertionError when it is not what the provider answers."""
        if not answer.endswith(COMPLETION):
            raise AssertionError(f"not the provider's answer: {answer!r}")

    def acknowledged(self) -> Sums:
        """Return what was answered, in the tokens it tells and at the registry's prices."""
        calls = self._models.total()
        costs = (count * _cost_usd(model) for model, count in self._models.items())
        return Sums(calls=calls, tokens=calls * EACH, cost_usd=sum(costs, Decimal(0)))

    @property
    def unanswered(self) -> int:
        return self.sent - self._models.total()


class CacheableCalls(Calls):
    """The same from callers who take answers that were given before."""

    def __init__(self, token: str) -> None:
        super().__init__(token, "cache-control: public, max-age=3600")
        del self._requests[DIFFERENT:]
        self.hits = 0

    def check(self, answer: bytes) -> None:
        """Raises AssertionError when it is not what the provider answers."""
        super().check(answer)
        self.hits += b"\r\nx-proxy-cache: hit" in answer[: answer.find(b"\r\n\r\n")].lower()


class Streams(Calls):
    """The same as streams of ``frames`` frames, none of them lost and none added."""

    def __init__(self, token: str, frames: int = FRAMES, *, timed: bool = False) -> None:
        super().__init__(token)
        wanted: dict[str, object] = {"stream": True} | (
            {"user": f"timed-{frames}"} if timed else {}
        )
        self._requests = _requests(token, wanted, ())
        self.frames = frames

    def check(self, answer: bytes) -> None:
        """Raises AssertionError when frames are missing, or there are some nobody asked for."""
        frames = answer.count(b"\n\n") - 1
        if frames != self.frames or not answer.endswith(DONE):
            raise AssertionError(f"{frames} of {self.frames} frames: ...{answer[-1000:]!r}")


def _requests(token: str, members: Mapping[str, object], headers: Sequence[str]) -> list[bytes]:
    chance = Random(17)  # noqa: S311  the same traffic in every run
    return [
        _request(token, headers, {**_body(_model(number), chance), **members})
        for number in range(TEMPLATES)
    ]


def _request(token: str, headers: Sequence[str], members: Mapping[str, object]) -> bytes:
    body = json.encode(members)
    lines = [f"POST {PATH} HTTP/1.1", "host: 127.0.0.1", f"authorization: Bearer {token}"]
    lines += [*CLIENT, *headers, f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def _body(model: str, chance: Random) -> dict[str, object]:
    question = " ".join(chance.choices(WORDS, k=chance.randint(40, 200)))
    messages = [
        {"role": "system", "content": "You answer customers, briefly."},
        {"role": "user", "content": question},
    ]
    return {"model": model, "messages": messages, "temperature": 0.2}


def _model(number: int) -> str:
    return MODELS[number % len(MODELS)]


@cache
def _cost_usd(model: str) -> Decimal:
    call = UsageToLog(provider="openai", model=model, tokens=TOKENS)
    quote = LiveRegistry(bundled_snapshot()).quote(call.provider, call.model)
    id = UsageId(time_ordered_id())
    record = recorded(PROJECT, call, quote, id=id, at=utc_now(), request_id=None)
    if record.cost_usd is None:
        raise Unpriced(model)
    return record.cost_usd
