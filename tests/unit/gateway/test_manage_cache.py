"""Purging answers as a manager does: what is gone is in the audit log."""

import pytest
from msgspec import json

from llmring_adapters.gateway.cache_memory import MemoryResponseCache
from llmring_adapters.transactions.memory import memory_transactions
from llmring_core.gateway.auditing import AuditSelection, PageNumber, RecordAlone
from llmring_core.gateway.caching import CachingDisabled, PurgeCache, PurgeWanted
from llmring_core.gateway.manage_cache import PurgeAnswers
from tests.builders.auditing import ORIGIN, recording
from tests.builders.kernel import P1, FakeClock

EXACT = {"purge_type": "exact", "method": "GET", "url": "/v1/models", "deleted": 0}
PREFIX = {"purge_type": "prefix", "prefix": "/v1", "deleted": 0}


@pytest.mark.parametrize(("prefix", "told"), [("", EXACT), ("/v1", PREFIX)])
async def test_tells_what_was_meant_and_not_what_a_query_held(
    prefix: str, told: dict[str, object]
) -> None:
    begin, clock = memory_transactions(), FakeClock()
    purge = PurgeAnswers(
        PurgeCache(MemoryResponseCache(clock)), RecordAlone(begin, recording(clock))
    )
    url = "https://api.example.com/v1/models?key=secret"
    wanted = PurgeWanted(project=P1, method="GET", url=url, prefix=prefix)
    assert await purge(wanted, ORIGIN) == 0
    async with begin() as work:
        found = await work.audit.page(AuditSelection(), PageNumber())
    (event,) = found.events
    assert (event.action, event.outcome, event.project) == ("cache.purge", "success", P1)
    assert json.decode(event.metadata) == told


async def test_that_is_refused_is_none() -> None:
    begin = memory_transactions()
    purge = PurgeAnswers(PurgeCache(None), RecordAlone(begin, recording(FakeClock())))
    with pytest.raises(CachingDisabled):
        await purge(PurgeWanted(project=None, method="", url="", prefix=""), ORIGIN)
    async with begin() as work:
        assert (await work.audit.page(AuditSelection(), PageNumber())).total == 0
