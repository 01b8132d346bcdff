"""What the audit log takes down, what of it, and what it says of the rest."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

import pytest
from msgspec import json
from msgspec.structs import replace

from llmring_adapters.gateway.audit_memory import MemoryAuditBook, MemoryDenialBound
from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.transactions.memory import memory_transactions
from llmring_core.errors import StoreUnavailable
from llmring_core.gateway import CreateProject, ListGatewayProjects, ProjectToCreate
from llmring_core.gateway.auditing import (
    PROXY_REQUEST,
    Action,
    AuditEvent,
    AuditSelection,
    Deed,
    ListAuditEvents,
    Origin,
    PageNumber,
    RecordAlone,
    RecordLeftOut,
    RecordRefusal,
)
from llmring_core.transactions import Begin
from tests.builders.auditing import ORIGIN, recording
from tests.builders.gateway import TOKEN, vault
from tests.builders.kernel import MICROSECOND, NOON, P1, FakeClock, ids

MINUTE = timedelta(minutes=1)
LONG = "x" * 1000
CANARY = "sk-" + "Zq7canary" * 3


@pytest.fixture
def begin() -> Begin[AllWork]:
    return memory_transactions()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def alone(begin: Begin[AllWork], clock: FakeClock) -> RecordAlone:
    return RecordAlone(begin, recording(clock))


class FullBook(MemoryAuditBook):
    async def append(self, event: AuditEvent) -> None:
        raise StoreUnavailable(f"no room for {event.action}")


async def written(begin: Begin[AllWork]) -> list[AuditEvent]:
    """Return everything in the log, the oldest first."""
    async with begin() as work:
        found = await work.audit.page(AuditSelection(), PageNumber(size=100))
    return list(found.events)[::-1]


def denial(action: Action = "project.list") -> Deed:
    return Deed(action=action, outcome="denied", reason="invalid management token")


def away() -> AbstractAsyncContextManager[AllWork]:
    raise StoreUnavailable("the database does not answer")


class TestRecord:
    async def test_writes_down_the_deed_and_where_it_comes_from(
        self, begin: Begin[AllWork], clock: FakeClock
    ) -> None:
        details = {"project_name": "Größe", "count": 3, "fields": ["a"], "none": None}
        deed = Deed(action="token.create", project=P1, token=TOKEN.id, details=details)
        async with begin() as work:
            await recording(clock)(work, deed, ORIGIN)
        (event,) = await written(begin)
        assert (event.happened_at, event.action, event.outcome) == (NOON, "token.create", "success")
        assert (event.project, event.token, event.actor) == (P1, TOKEN.id, "management_api")
        assert (event.client_ip, event.path) == (ORIGIN.client_ip, ORIGIN.path)
        assert event.metadata is not None and json.decode(event.metadata) == details

    async def test_cuts_what_is_long_and_drops_what_no_database_takes(
        self, begin: Begin[AllWork], clock: FakeClock
    ) -> None:
        origin = Origin(
            actor="anonymous",
            request_id=LONG,
            correlation_id=f"\0\ud800{LONG}",
            client_ip=LONG,
            method=LONG,
            path=LONG,
            user_agent=LONG,
        )
        async with begin() as work:
            await recording(clock)(work, replace(denial(), reason=LONG), origin)
        (event,) = await written(begin)
        names = (event.request_id, event.correlation_id, event.client_ip, event.method)
        lines = (event.reason, event.path, event.user_agent)
        assert [len(text or "") for text in names] == [64] * 4
        assert [len(text or "") for text in lines] == [256] * 3
        assert event.correlation_id == f"??{LONG}"[:64]

    @pytest.mark.parametrize(
        ("said", "kept"),
        [
            (CANARY, "sk-***"),
            (f"a {CANARY}, b", "a sk-***, b"),
            (f"Bearer {CANARY}", "Bearer ***"),
            ("AIza" + "Zq7" * 12, "AIza***"),
            ("x" * 250 + CANARY, "x" * 250 + "sk-Zq7"),
            ("desk-lamps-and-chairs", "desk-lamps-and-chairs"),
            ("sk-short", "sk-short"),
            ("", None),
        ],
    )
    async def test_keeps_nothing_that_looks_like_a_secret(
        self, begin: Begin[AllWork], clock: FakeClock, said: str, kept: str | None
    ) -> None:
        async with begin() as work:
            deed = Deed(action="project.read", reason=said, details={"name": said})
            await recording(clock)(work, deed, replace(ORIGIN, user_agent=said))
        (event,) = await written(begin)
        assert event.user_agent == event.reason == kept
        assert event.metadata is not None
        assert len(said) > 200 or json.decode(event.metadata) == {"name": kept or ""}

    async def test_stops_the_change_it_cannot_write_down(
        self, begin: Begin[AllWork], clock: FakeClock
    ) -> None:
        @asynccontextmanager
        async def full() -> AsyncIterator[AllWork]:
            async with begin() as work:
                work.audit = FullBook([])
                yield work

        create = CreateProject(full, vault(), recording(clock), clock, ids())
        with pytest.raises(StoreUnavailable):
            await create(ProjectToCreate(name="a", provider_keys={"openai": "sk-1"}), ORIGIN)
        async with begin() as work:
            assert await work.gateway.all() == []


class TestReading:
    async def test_gives_nothing_that_is_not_written_down(
        self, begin: Begin[AllWork], clock: FakeClock
    ) -> None:
        nowhere = RecordAlone(away, recording(clock))
        with pytest.raises(StoreUnavailable):
            await ListAuditEvents(begin, nowhere)(AuditSelection(), PageNumber(), ORIGIN)
        with pytest.raises(StoreUnavailable):
            await ListGatewayProjects(begin, nowhere)(ORIGIN)


class TestRefusals:
    async def test_are_bounded_when_anybody_may_cause_them(
        self, begin: Begin[AllWork], clock: FakeClock
    ) -> None:
        refuse = RecordRefusal(alone(begin, clock), MemoryDenialBound(most=2), clock)
        for _ in range(5):
            await refuse(denial(), ORIGIN)
            await refuse(denial(PROXY_REQUEST), ORIGIN)
            await refuse(replace(denial("token.read"), outcome="failure"), ORIGIN)
        found = [(event.action, event.outcome) for event in await written(begin)]
        assert found.count(("project.list", "denied")) == 2
        assert found.count((PROXY_REQUEST, "denied")) == 2
        assert found.count(("token.read", "failure")) == 5

    async def test_are_written_down_again_a_minute_later(
        self, begin: Begin[AllWork], clock: FakeClock
    ) -> None:
        refuse = RecordRefusal(alone(begin, clock), MemoryDenialBound(most=1), clock)
        await refuse(denial(), ORIGIN)
        clock.pass_by(MINUTE - MICROSECOND)
        await refuse(denial(), ORIGIN)
        assert len(await written(begin)) == 1
        clock.pass_by(MICROSECOND)
        await refuse(denial(), ORIGIN)
        assert len(await written(begin)) == 2

    async def test_that_are_not_written_down_are_counted(
        self, begin: Begin[AllWork], clock: FakeClock
    ) -> None:
        bound, record = MemoryDenialBound(most=1), alone(begin, clock)
        nowhere = RecordAlone(away, recording(clock))
        refuse = RecordRefusal(record, bound, clock)
        for _ in range(3):
            await refuse(denial(), ORIGIN)
        without = RecordRefusal(nowhere, bound, clock)
        await without(replace(denial(), outcome="failure"), ORIGIN)
        with pytest.raises(StoreUnavailable):
            await RecordLeftOut(nowhere, bound)()
        for _ in range(2):
            await RecordLeftOut(record, bound)()
        _, event = await written(begin)
        assert (event.action, event.actor, event.outcome) == (
            "audit.left_out",
            "system",
            "denied",
        )
        assert event.metadata == '{"left_out":3}'
