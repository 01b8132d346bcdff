"""What is sent: calls as programs log them, and what was acknowledged of them."""

from collections.abc import Sequence
from decimal import Decimal
from random import Random

from msgspec import Struct, json

from bench.books import Sums

PROJECTS = 20
TEMPLATES = 1024  # different requests, sent in turn
BATCH = 500  # records
MODELS = (
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-4.1"),
    ("openai", "gpt-5-mini"),
    ("anthropic", "claude-sonnet-4-6"),
    ("anthropic", "claude-opus-4-7"),
    ("google", "gemini-2.5-flash"),
)
ALIASES = ("fast", "balanced", "deep")
ORIGINS = ("support-chat", "batch-tagger", "ide")
JSON = {"Content-Type": "application/json"}
MARK = b"00000000-0000"  # in a batch's client_log_ids: replaced by the request's number


class Call(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A body of ``POST /api/v1/log``, with the members programs usually send."""

    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    alias: str
    origin: str
    latency_ms: int
    client_log_id: str | None = None

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


class Logged(Struct, frozen=True):
    """What is read of one answer."""

    cost: Decimal | None
    cost_status: str = "registry"  # a batch does not say it for each


class BatchAnswer(Struct, frozen=True):
    accepted: int
    results: list[Logged]


class Unpriced(Exception):
    """The server knows no price for a model of the benchmark."""


def keys(projects: int = PROJECTS) -> list[str]:
    """Return API keys; in open mode each is a project of its own."""
    return [f"llmr_pk_benchmark_{number:04}" for number in range(projects)]


def request(method: str, path: str, key: str, body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"x-api-key: {key}"]
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


class SingleCalls:
    """``POST /api/v1/log``, one call each; some projects and models are busier than others."""

    def __init__(self) -> None:
        chance = Random(7)  # noqa: S311  the same traffic in every run
        self._calls = [_call(chance) for _ in range(TEMPLATES)]
        self._requests = [
            request("POST", "/api/v1/log", key, json.encode(call))
            for key, call in zip(_skewed_keys(chance), self._calls, strict=True)
        ]
        self._counts = [0] * TEMPLATES
        self._costs: list[Decimal | None] = [None] * TEMPLATES
        self._expected: list[bytes] = [b""] * TEMPLATES  # the first answer's cost, literally
        self._sent = 0

    def next(self) -> tuple[int, bytes]:
        self._sent += 1
        number = self._sent % TEMPLATES
        return number, self._requests[number]

    def accepted(self, number: int, answer: bytes) -> None:
        """Raises Unpriced, and AssertionError when the same call costs something else."""
        self._counts[number] += 1
        expected = self._expected[number]
        if not expected:
            self._learn(number, answer)
        elif expected not in answer:
            raise AssertionError(f"not {expected!r} in {answer!r}")

    @property
    def unanswered(self) -> int:
        """How many requests were not answered 200; when cut off they may still be stored."""
        return self._sent - sum(self._counts)

    def acknowledged(self) -> Sums:
        """Return what the server said it stored."""
        costs = (n * cost for n, cost in zip(self._counts, self._costs, strict=True) if cost)
        tokens = (n * call.tokens for n, call in zip(self._counts, self._calls, strict=True))
        return Sums(calls=sum(self._counts), tokens=sum(tokens), cost_usd=sum(costs, Decimal(0)))

    def _learn(self, number: int, answer: bytes) -> None:
        body = _body(answer)
        logged = json.decode(body, type=Logged)
        if logged.cost is None or logged.cost_status != "registry":
            raise Unpriced(f"{self._calls[number].model}: {body.decode()}")
        self._costs[number] = logged.cost
        start = body.index(b'"cost":')
        ends = (body.find(end, start) for end in (b",", b"}"))
        self._expected[number] = body[start : min(at for at in ends if at >= 0) + 1]


class Batches:
    """``POST /api/v1/log/batch``, 500 calls each, every one with a ``client_log_id`` of its own."""

    def __init__(self, size: int = BATCH) -> None:
        chance = Random(11)  # noqa: S311  the same traffic in every run
        self._requests: list[bytes] = []
        self._tokens: list[int] = []
        for key in keys():
            calls = [_call(chance, f"{MARK.decode()}-{index:04}") for index in range(size)]
            body = json.encode({"logs": calls})
            self._requests.append(request("POST", "/api/v1/log/batch", key, body))
            self._tokens.append(sum(call.tokens for call in calls))
        self._size = size
        self._sent = 0
        self._acknowledged = Sums(calls=0, tokens=0, cost_usd=Decimal(0))

    def next(self) -> tuple[int, bytes]:
        self._sent += 1
        number = self._sent % len(self._requests)
        return number, self._requests[number].replace(MARK, b"%08d-0000" % self._sent)

    def accepted(self, number: int, answer: bytes) -> None:
        """Raises AssertionError when part of the batch was not taken."""
        said = json.decode(_body(answer), type=BatchAnswer)
        if said.accepted != self._size:
            raise AssertionError(f"{said.accepted} of {self._size} records were accepted")
        costs = sum((result.cost or Decimal(0) for result in said.results), Decimal(0))
        self._acknowledged += Sums(calls=self._size, tokens=self._tokens[number], cost_usd=costs)

    @property
    def unanswered(self) -> int:
        """How many calls were in requests that were not answered 200."""
        return self._sent * self._size - self._acknowledged.calls

    def acknowledged(self) -> Sums:
        return self._acknowledged


class Receipts:
    """``POST /api/v1/receipts``, one call each, of several projects."""

    def __init__(self) -> None:
        chance = Random(13)  # noqa: S311  the same traffic in every run
        self._requests = [
            request("POST", "/api/v1/receipts/", key, json.encode(_call(chance)))
            for key in _skewed_keys(chance)
        ]
        self._sent = 0

    @staticmethod
    def body() -> bytes:
        return json.encode(_call(Random(13)))  # noqa: S311

    def next(self) -> tuple[int, bytes]:
        self._sent += 1
        number = self._sent % TEMPLATES
        return number, self._requests[number]

    def accepted(self, number: int, answer: bytes) -> None:
        """Raises AssertionError when it is not signed."""
        if b'"signature":"ed25519:' not in answer:
            raise AssertionError(f"request {number}: not signed: {answer!r}")


class Repeated:
    """The same requests over and over, whose answers do not matter."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self._requests = requests
        self._next = 0

    def next(self) -> tuple[int, bytes]:
        self._next = (self._next + 1) % len(self._requests)
        return self._next, self._requests[self._next]

    def accepted(self, number: int, answer: bytes) -> None:
        pass


def _call(chance: Random, client_log_id: str | None = None) -> Call:
    provider, model = MODELS[int(len(MODELS) * chance.random() ** 1.5)]
    prompt = chance.randint(200, 9000)
    return Call(
        provider=provider,
        model=model,
        input_tokens=prompt,
        output_tokens=chance.randint(10, 1500),
        cached_input_tokens=chance.choice((0, 0, prompt // 2)),
        alias=chance.choice(ALIASES),
        origin=chance.choice(ORIGINS),
        latency_ms=chance.randint(150, 9000),
        client_log_id=client_log_id,
    )


def _skewed_keys(chance: Random) -> list[str]:
    every = keys()
    return [every[int(len(every) * chance.random() ** 1.7)] for _ in range(TEMPLATES)]


def _body(answer: bytes) -> bytes:
    return answer[answer.index(b"\r\n\r\n") + 4 :]
