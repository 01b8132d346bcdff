"""LLMRing inside another program."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from llmring_app.embed import LLMRing, embedded
from llmring_core.ids import ProjectId
from llmring_core.pages import PageRequest
from llmring_core.usage import Period, Selection, Tokens, UsageToLog

DEMO = ProjectId("demo")
CALL = UsageToLog(
    provider="openai", model="gpt-4o-mini", tokens=Tokens(input_uncached=1000, output=200)
)
EVER = Selection(
    period=Period(start=datetime(2020, 1, 1, tzinfo=UTC), end=datetime(2100, 1, 1, tzinfo=UTC))
)


async def calls_in(llmring: LLMRing) -> int:
    return len((await llmring.list_usage(DEMO, EVER, PageRequest(limit=10))).items)


async def test_prices_a_call_without_server_settings_or_network() -> None:
    async with embedded() as llmring:
        logged = await llmring.log_usage(DEMO, CALL)

    assert logged.value.cost_usd == Decimal("0.00027")


async def test_two_side_by_side_share_nothing() -> None:
    async with embedded() as one, embedded() as other:
        await one.log_usage(DEMO, CALL)

        assert (await calls_in(one), await calls_in(other)) == (1, 0)


async def test_a_database_file_outlives_the_block(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/usage.db"
    async with embedded(url) as llmring:
        await llmring.log_usage(DEMO, CALL)

    async with embedded(url) as again:
        assert await calls_in(again) == 1
