"""A database that was tampered with, or lost something, does not pass the check."""

from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from sqlite3 import connect

import pytest
from sqlalchemy import Executable, delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from llmring_adapters.checking import CHECKS, check_database
from llmring_adapters.transactions.sql import sql_transactions
from llmring_adapters.usage.tables import usage_records, usage_totals
from llmring_core.usage import MAX_COUNT, Tokens
from tests.builders.kernel import NOON, P1, P2
from tests.builders.usage import usage_record

MILLION = Decimal(1_000_000)
MOST = Tokens(input_uncached=MAX_COUNT, output=MAX_COUNT)
T, R = usage_totals.c, usage_records.c


@pytest.fixture(params=["sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def filled(engine: AsyncEngine) -> AsyncEngine:
    """Two projects' calls, corrections, the largest of all, and some without name or price."""
    first = usage_record()
    records = [
        first,
        usage_record(project=P2, adjusts=None),
        usage_record(kind="adjustment", cost_usd=Decimal("-7.000000000001"), adjusts=first.id),
        usage_record(alias=None, origin=None, cost_usd=None, client_log_id=None),
        *(
            usage_record(tokens=MOST, cost_usd=MILLION, client_log_id=str(n), origin="most")
            for n in range(12)
        ),
        *(
            usage_record(at=NOON + n * timedelta(minutes=7), client_log_id=f"later {n}")
            for n in range(300)
        ),
    ]
    async with sql_transactions(engine)() as work:
        await work.usage.append(records)
    return engine


async def found(engine: AsyncEngine) -> set[tuple[str, str | None]]:
    findings = await check_database(engine, lambda *_: None)
    assert all(finding.text for finding in findings)
    return {(finding.check, finding.project) for finding in findings}


async def tampered(engine: AsyncEngine, statement: Executable) -> set[tuple[str, str | None]]:
    async with engine.begin() as connection:
        await connection.execute(statement)
    return await found(engine)


async def test_what_the_server_wrote_passes(filled: AsyncEngine) -> None:
    assert await found(filled) == set()


async def test_nothing_at_all_passes_and_every_question_is_shown(engine: AsyncEngine) -> None:
    shown: list[str] = []

    assert await check_database(engine, lambda _, name: shown.append(name)) == []
    assert shown == list(CHECKS)


@pytest.mark.parametrize(
    "column",
    ["requests", "unpriced", "input_tokens", "cached_input_tokens", "output_tokens", "cost_picos"],
)
@pytest.mark.parametrize("span", [1, 96])
async def test_a_total_that_is_one_off_is_found(
    filled: AsyncEngine, column: str, span: int
) -> None:
    mine = (T.project == P2, T.span == span)
    wrong = await tampered(
        filled, update(usage_totals).where(*mine).values({column: T[column] + 1})
    )

    quarters = {("totals of quarters", P2)}
    assert wrong == (quarters if span == 96 else quarters | {("totals of records", P2)})


async def test_a_carry_from_picos_to_micros_is_no_difference(filled: AsyncEngine) -> None:
    carried = {"cost_micros": T.cost_micros - 1, "cost_picos": T.cost_picos + 1_000_000}

    assert await tampered(filled, update(usage_totals).values(carried)) == set()


async def test_a_record_that_is_gone_is_missed(filled: AsyncEngine) -> None:
    one = select(R.id).where(R.project == P2).scalar_subquery()

    assert await tampered(filled, delete(usage_records).where(R.id == one)) == {
        ("totals of records", P2)
    }


async def test_totals_of_nothing_are_found(filled: AsyncEngine) -> None:
    wrong = await tampered(filled, delete(usage_records).where(R.project == P2))

    assert wrong == {("totals of records", P2)}


async def test_records_without_totals_are_found(filled: AsyncEngine) -> None:
    wrong = await tampered(filled, delete(usage_totals).where(T.project == P2))

    assert wrong == {("totals of records", P2)}


async def test_a_call_that_moved_to_another_quarter_is_found(filled: AsyncEngine) -> None:
    later = update(usage_records).where(R.project == P2).values(at=NOON + timedelta(minutes=15))

    assert await tampered(filled, later) == {("totals of records", P2)}


async def test_a_correction_of_nothing_is_found(filled: AsyncEngine) -> None:
    lost = update(usage_records).where(R.kind == "adjustment").values(adjusts="nothing")

    assert await tampered(filled, lost) == {("corrections", P1)}


async def test_a_correction_of_another_projects_call_is_found(filled: AsyncEngine) -> None:
    theirs = select(R.id).where(R.project == P2).scalar_subquery()
    stolen = update(usage_records).where(R.kind == "adjustment").values(adjusts=theirs)

    assert await tampered(filled, stolen) == {("corrections", P1)}


async def test_a_name_given_twice_is_found(filled: AsyncEngine) -> None:
    twice = update(usage_records).where(R.client_log_id == "later 1")

    assert await tampered(filled, twice.values(client_log_id="later 2")) == {("client_log_id", P1)}


@pytest.mark.parametrize("backend", ["sqlite"])  # PostgreSQL cannot be brought to store one
async def test_a_key_of_no_project_is_found(engine: AsyncEngine) -> None:
    assert engine.url.database is not None
    with closing(connect(engine.url.database)) as file, file:  # where nobody asked for references
        file.execute("INSERT INTO api_keys VALUES ('k', 'nobody', 'd', 's', 1, NULL)")

    assert await found(engine) == {("references", None)}
