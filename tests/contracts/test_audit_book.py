"""What every AuditBook promises, on every backend."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from llmring_adapters.transactions.all_work import AllWork
from llmring_core.gateway.auditing import AuditSelection, PageNumber
from llmring_core.ids import AuditEventId
from llmring_core.transactions import Begin
from tests.builders.auditing import EVENT, event
from tests.builders.kernel import MICROSECOND, NOON, P1, P2

EVERYTHING = AuditSelection()


async def kept(begin: Begin[AllWork], *numbers: int) -> None:
    """Keep ``EVENT`` and, a microsecond apart, later events of these numbers."""
    async with begin() as work:
        await work.audit.append(EVENT)
        for number in numbers:
            await work.audit.append(event(number, happened_at=NOON + number * MICROSECOND))


async def meant(begin: Begin[AllWork], wanted: AuditSelection) -> list[AuditEventId]:
    async with begin() as work:
        found = await work.audit.page(wanted, PageNumber(size=100))
    assert found.total == len(found.events)
    return [one.id for one in found.events]


class TestKeeping:
    async def test_gives_back_exactly_what_was_appended(self, begin: Begin[AllWork]) -> None:
        await kept(begin, 1)
        async with begin() as work:
            assert await work.audit.find(EVENT.id) == EVENT
            other = event(1, happened_at=NOON + MICROSECOND)
            assert await work.audit.find(other.id) == other
            assert (await work.audit.page(EVERYTHING, PageNumber())).events == (other, EVENT)
            assert await work.audit.find(AuditEventId("nobody's")) is None

    async def test_is_gone_with_the_change_that_failed(self, begin: Begin[AllWork]) -> None:
        with pytest.raises(ZeroDivisionError):
            async with begin() as work:
                await work.audit.append(EVENT)
                _ = 1 // 0
        assert await meant(begin, EVERYTHING) == []


class TestPages:
    async def test_are_newest_first_and_count_everything(self, begin: Begin[AllWork]) -> None:
        await kept(begin, 1, 2, 3, 4)
        pages = []
        for number in (1, 2, 3, 4):
            async with begin() as work:
                page = await work.audit.page(EVERYTHING, PageNumber(page=number, size=2))
            assert page.total == 5
            pages.append([one.id for one in page.events])
        ids = [event(number).id for number in (4, 3, 2, 1)]
        assert pages == [ids[:2], ids[2:], [EVENT.id], []]

    async def test_of_one_instant_are_in_one_order(self, begin: Begin[AllWork]) -> None:
        async with begin() as work:
            for number in (2, 3, 1):
                await work.audit.append(event(number))
        assert await meant(begin, EVERYTHING) == [event(number).id for number in (3, 2, 1)]


class TestFilters:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("action", "token.create"),
            ("actor", "management_api"),
            ("outcome", "failure"),
            ("project", P1),
            ("request_id", "r-1"),
            ("correlation_id", "c-1"),
            ("client_ip", "192.0.2.1"),
            ("method", "POST"),
            ("path", "/manage/tokens"),
        ],
    )
    async def test_are_exact(self, begin: Begin[AllWork], name: str, value: str) -> None:
        others = {"action": "token.list", "actor": "anonymous", "outcome": "success"}
        other = event(1, **others, project=P2, request_id="r-12", path="/manage/tokens/x")
        async with begin() as work:
            await work.audit.append(EVENT)
            await work.audit.append(other)
        assert await meant(begin, AuditSelection(**{name: value})) == [EVENT.id]
        for near in (value[:-1], f"{value}1", value.swapcase()):
            if near != value:
                assert await meant(begin, AuditSelection(**{name: near})) == []

    async def test_hold_together(self, begin: Begin[AllWork]) -> None:
        await kept(begin, 1)
        both = AuditSelection(action="token.create", request_id="r-1")
        assert await meant(begin, both) == [EVENT.id]
        assert await meant(begin, replace(both, request_id="r-2")) == []

    async def test_of_time_take_the_first_instant_and_not_the_last(
        self, begin: Begin[AllWork]
    ) -> None:
        await kept(begin, 1, 2)
        since, until = NOON + MICROSECOND, NOON + 2 * MICROSECOND
        assert await meant(begin, AuditSelection(since=since, until=until)) == [event(1).id]
        assert await meant(begin, AuditSelection(since=until)) == [event(2).id]
        assert await meant(begin, AuditSelection(until=since)) == [EVENT.id]
        assert await meant(begin, AuditSelection(since=NOON + timedelta(days=9))) == []


class TestSearch:
    @pytest.mark.parametrize(
        "text",
        [
            "R-1",
            "c-1",
            "192.0",
            "TOKEN.cr",
            "Management_API",
            "post",
            "/TOKENS",
            "NOT FOUND",
            "100%",
            "größe",
            '"PROJECT_NAME"',
        ],
    )
    async def test_finds_what_is_somewhere_in_capitals_or_not(
        self, begin: Begin[AllWork], text: str
    ) -> None:
        await kept(begin)
        assert await meant(begin, AuditSelection(search=text)) == [EVENT.id]

    @pytest.mark.parametrize("text", ["token_create", "token%create", "1%0", "GRÖSSE", "\\", "ß0"])
    async def test_takes_every_character_for_itself(self, begin: Begin[AllWork], text: str) -> None:
        await kept(begin)
        assert await meant(begin, AuditSelection(search=text)) == []

    async def test_does_not_tell_by_what_it_does_not_look_through(
        self, begin: Begin[AllWork]
    ) -> None:
        await kept(begin)
        for text in (EVENT.id, "failure", "Grüße"):
            assert await meant(begin, AuditSelection(search=text)) == []
