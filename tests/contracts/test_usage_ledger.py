"""What every UsageLedger promises about records, on every backend. Totals: test_usage_totals.py."""

from decimal import Decimal

import pytest
from msgspec.structs import replace
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from llmring_adapters.usage.tables import row_of, usage_records
from llmring_core.ids import UsageId
from llmring_core.transactions import Begin
from llmring_core.usage import (
    MAX_COUNT,
    DuplicateUsage,
    Position,
    Selection,
    Tokens,
    UsageRecord,
    UsageWork,
)
from tests.builders.kernel import MICROSECOND, NOON, P1, P2
from tests.builders.usage import EVERYTHING, RECORD, TOKENS, selection, usage_record

UNPRICED = usage_record(cost_usd=None, cost_status="unpriced", registry_cost_usd=None, rates=())
BARE = usage_record(
    alias=None,
    origin=None,
    id_at_origin=None,
    tokens=Tokens(),
    cost_usd=None,
    cost_status="unpriced",
    registry_cost_usd=None,
    registry_version=None,
    registry_digest=None,
    rates=(),
    latency_ms=None,
    metadata={},
    client_log_id=None,
    request_id=None,
)
LARGEST = usage_record(
    cost_usd=Decimal(1_000_000),
    registry_cost_usd=Decimal("999999.999999999999"),
    tokens=Tokens(**dict.fromkeys(Tokens.__struct_fields__, MAX_COUNT)),
    provider="\U0001f600" * 255,
    model="m" * 255,
    metadata={"": {"deep": [[[0.1, -1e300, 2**64]]]}},
)
CORRECTION = usage_record(kind="adjustment", cost_usd=Decimal("-0.000000000001"), tokens=Tokens())


async def kept(begin: Begin[UsageWork], *records: UsageRecord) -> None:
    async with begin() as work:
        await work.usage.append(records)


async def newest(
    begin: Begin[UsageWork],
    wanted: Selection = EVERYTHING,
    limit: int = 100,
    offset: int = 0,
    before: UsageRecord | None = None,
) -> list[UsageRecord]:
    position = None if before is None else Position(at=before.at, id=before.id)
    async with begin() as work:
        return await work.usage.newest(P1, wanted, limit, offset, position)


class TestUsageLedger:
    @pytest.mark.parametrize(
        "record",
        [RECORD, UNPRICED, BARE, LARGEST, CORRECTION],
        ids=["awkward", "unpriced", "bare", "largest", "correction"],
    )
    async def test_gives_back_exactly_what_was_appended(
        self, begin: Begin[UsageWork], record: UsageRecord
    ) -> None:
        await kept(begin, record)
        assert await newest(begin) == [record]

    @pytest.mark.parametrize("record", [LARGEST, BARE])
    async def test_finds_a_record_by_its_id_for_its_project_alone(
        self, begin: Begin[UsageWork], record: UsageRecord
    ) -> None:
        await kept(begin, usage_record(), record)
        async with begin() as work:
            assert await work.usage.find(P1, record.id) == record
            assert await work.usage.find(P2, record.id) is None
            assert await work.usage.find(P1, usage_record().id) is None

    async def test_is_empty_at_first(self, begin: Begin[UsageWork]) -> None:
        assert await newest(begin) == []

    async def test_the_newest_come_first_whatever_the_order_of_appending(
        self, begin: Begin[UsageWork]
    ) -> None:
        oldest, middle, latest = (usage_record(at=NOON + n * MICROSECOND) for n in range(3))
        await kept(begin, middle, latest)
        await kept(begin, oldest)
        assert await newest(begin) == [latest, middle, oldest]

    async def test_records_of_one_instant_are_ordered_by_id(self, begin: Begin[UsageWork]) -> None:
        records = [usage_record() for _ in range(5)]
        await kept(begin, *records[2:], *records[:2])
        assert await newest(begin) == records[::-1]

    async def test_the_start_is_included_and_the_end_is_not(self, begin: Begin[UsageWork]) -> None:
        before, first, last, end = (usage_record(at=NOON + n * MICROSECOND) for n in range(4))
        await kept(begin, before, first, last, end)
        assert await newest(begin, selection(first.at, end.at)) == [last, first]

    async def test_an_empty_period_selects_nothing(self, begin: Begin[UsageWork]) -> None:
        await kept(begin, RECORD)
        assert await newest(begin, selection(NOON, NOON)) == []

    async def test_limit_and_offset_cut_the_list(self, begin: Begin[UsageWork]) -> None:
        records = [usage_record() for _ in range(5)]
        await kept(begin, *records)
        assert await newest(begin, limit=2, offset=1) == [records[3], records[2]]
        assert await newest(begin, limit=2, offset=4) == [records[0]]
        assert await newest(begin, limit=2, offset=5) == []

    async def test_a_position_continues_after_its_record_though_newer_ones_arrive(
        self, begin: Begin[UsageWork]
    ) -> None:
        records = [usage_record() for _ in range(4)]
        await kept(begin, *records)
        await kept(begin, usage_record(), usage_record(at=NOON + MICROSECOND))
        assert await newest(begin, limit=2, before=records[3]) == [records[2], records[1]]
        assert await newest(begin, before=records[1]) == [records[0]]
        assert await newest(begin, before=records[0]) == []

    @pytest.mark.parametrize("name", ["model", "alias", "origin"])
    async def test_a_filter_selects_what_equals_it(
        self, begin: Begin[UsageWork], name: str
    ) -> None:
        texts = ["größe", "Größe", "größe ", "gr%ße", "gr_ße", "", "o'x\"\\"]
        records = {text: usage_record(**{name: text}) for text in texts}
        await kept(begin, *records.values())
        for text, record in records.items():
            wanted = replace(EVERYTHING, **{name: text})
            assert await newest(begin, wanted) == [record]

    async def test_filters_are_combined(self, begin: Begin[UsageWork]) -> None:
        both = usage_record(model="m", alias="a")
        others = usage_record(model="m", alias=None), usage_record(model="x", alias="a")
        await kept(begin, both, *others)
        assert await newest(begin, replace(EVERYTHING, model="m", alias="a")) == [both]

    async def test_other_projects_are_invisible(self, begin: Begin[UsageWork]) -> None:
        await kept(begin, usage_record(project=P2))
        assert await newest(begin) == []

    async def test_an_id_is_taken_once_across_projects(self, begin: Begin[UsageWork]) -> None:
        await kept(begin, RECORD)
        with pytest.raises(DuplicateUsage) as refusal:
            await kept(begin, replace(RECORD, project=P2, model="another"))
        assert refusal.value.id == RECORD.id
        assert await newest(begin) == [RECORD]

    async def test_a_batch_with_an_id_twice_leaves_nothing(self, begin: Begin[UsageWork]) -> None:
        with pytest.raises(DuplicateUsage):
            await kept(begin, usage_record(), RECORD, replace(RECORD, at=NOON + MICROSECOND))
        assert await newest(begin) == []

    async def test_appending_nothing_changes_nothing(self, begin: Begin[UsageWork]) -> None:
        await kept(begin)
        assert await newest(begin) == []

    async def test_a_large_batch_is_kept_whole(self, begin: Begin[UsageWork]) -> None:
        records = [usage_record(model=f"m{number}") for number in range(3_000)]
        await kept(begin, *records)
        async with begin() as work:
            found = await work.usage.newest(P1, EVERYTHING, limit=5_000)
        assert found == records[::-1]


@pytest.mark.parametrize("backend", ["sqlite", "postgres"], indirect=True)
class TestTheDatabaseItself:
    """The last line of defence, below every program that writes there."""

    @pytest.mark.parametrize(
        "changes",
        [
            {"cost_usd": Decimal("1000000.000000000001")},
            {"cost_usd": Decimal("-0.000000000001")},
            {"id": UsageId(RECORD.id), "provider": None},
        ],
        ids=["above a million", "negative", "without provider"],
    )
    async def test_refuses_a_row_that_breaks_a_rule(
        self, engine: AsyncEngine, changes: dict[str, object]
    ) -> None:
        row = row_of(RECORD) | changes
        with pytest.raises(IntegrityError):
            async with engine.begin() as connection:
                await connection.execute(insert(usage_records).values(row))

    async def test_a_broken_rule_is_not_taken_for_a_duplicate(
        self, begin: Begin[UsageWork]
    ) -> None:
        with pytest.raises(IntegrityError):
            await kept(begin, usage_record(cost_usd=Decimal(-1), tokens=TOKENS))
