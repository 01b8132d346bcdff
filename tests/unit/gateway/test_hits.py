"""What the ledger has of an answer out of the cache."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from llmring_core.errors import Overloaded
from llmring_core.gateway import Tally
from llmring_core.gateway.forwarding import Call
from llmring_core.gateway.hits import Hit, RecordHit
from llmring_core.ids import TokenId
from llmring_core.registry import CurrentRegistry, Quote
from llmring_core.usage import Entry, Tokens, UsageIntake, UsageRecord
from tests.builders.caching import an_answer
from tests.builders.forwarding import provider
from tests.builders.gateway import TOKEN
from tests.builders.kernel import NOON, P1, FakeClock, ids
from tests.builders.registry import QUOTE


class Hits(Tally, UsageIntake, CurrentRegistry):
    """Keeps what is counted and appended, and knows one price at most."""

    def __init__(self, quote: Quote | None = QUOTE, *, is_full: bool = False) -> None:
        self.count = 0
        self.records: list[UsageRecord] = []
        self._quote = quote
        self._is_full = is_full

    def add_hit(self, token: TokenId, at: object) -> None:
        assert (token, at) == (TOKEN.id, NOON)
        self.count += 1

    async def take(self, entry: Entry) -> None:
        if self._is_full:
            raise Overloaded
        self.records.append(entry.record)

    def quote(self, provider: str, model: str) -> Quote | None:
        return self._quote if (provider, model) == ("openai", "m") else None


def recording(hits: Hits) -> RecordHit:
    return RecordHit(hits, hits, hits, FakeClock(), ids())


def hit(method: str = "POST", model: str | None = "m", tokens: Tokens | None = None) -> Hit:
    call = Call(
        method=method,
        endpoint="/v1/chat/completions",
        target="/v1/chat/completions",
        provider=provider(),
        model=model,
    )
    return Hit(
        project=P1,
        token=TOKEN.id,
        call=call,
        answer=replace(an_answer(), tokens=tokens),
        status=200,
        latency_ms=1,
        request_id="r",
    )


async def test_costs_nothing_and_says_what_it_saved() -> None:
    hits = Hits()
    record = await recording(hits)(hit(tokens=Tokens(input_uncached=10, output=20)))

    assert record is not None and hits.records == [record]
    assert (record.kind, record.at, record.cost_usd) == ("cache_hit", NOON, Decimal(0))
    assert (record.tokens, record.rates, record.registry_cost_usd) == (Tokens(), (), Decimal(0))
    assert record.registry_version == QUOTE.registry_version
    assert record.metadata["saved_usd"] == "0.0000135"
    assert record.metadata["saved_tokens"] == 30
    assert hits.count == 1


@pytest.mark.parametrize(
    ("tokens", "quote", "saved_tokens"), [(None, QUOTE, None), (Tokens(output=3), None, 3)]
)
async def test_what_nobody_knows_it_does_not_say(
    tokens: Tokens | None, quote: Quote | None, saved_tokens: int | None
) -> None:
    record = await recording(Hits(quote))(hit(tokens=tokens))

    assert record is not None
    assert record.metadata["saved_usd"] is None
    assert record.metadata["saved_tokens"] == saved_tokens
    assert (record.cost_usd, record.cost_status) == (Decimal(0), "registry")


async def test_looking_something_up_is_counted_and_not_recorded() -> None:
    hits = Hits()
    assert await recording(hits)(hit("GET", None)) is None
    assert (hits.records, hits.count) == ([], 1)


async def test_what_cannot_be_recorded_is_not_counted() -> None:
    hits = Hits(is_full=True)
    with pytest.raises(Overloaded):
        await recording(hits)(hit())
    assert hits.count == 0
