"""What the ledger and the token's counts have of answers out of the cache."""

import re
from decimal import Decimal
from pathlib import Path

from msgspec import json

from llmring_adapters.checking import check_database
from llmring_app.metrics import exposition
from llmring_core.gateway import TokenChange
from llmring_core.gateway.metering import meter_for
from llmring_core.usage import Tokens
from tests.builders.auditing import ORIGIN
from tests.builders.certification import EVERY
from tests.builders.gateway import token
from tests.builders.kernel import P1
from tests.integration.cached import CHAT, COST_USD, FORCED, MODEL, call, chat, counted, standing
from tests.integration.gateway import error_of, gateway, split
from tests.integration.upstream import always, upstream, whole


async def test_a_hit_is_in_the_ledger_with_what_it_saved(tmp_path: Path) -> None:
    async with (
        upstream(always(whole(CHAT))) as provider,
        gateway(tmp_path, provider.url, meters=meter_for) as server,
    ):
        standings = [await standing(server, chat(FORCED)) for _ in range(3)]
        await server.raw(call(path=b"/v1/files"))  # of which nothing is in the ledger
        hit, *_, made = await server.records()
        first = await counted(server, token(1).id)

    assert standings == ["stored (forced)", "hit", "hit"]
    assert (made.kind, made.cost_usd, made.tokens.total) == ("call", COST_USD, 30)
    assert (hit.kind, hit.attempt_status, hit.cost_status) == ("cache_hit", "complete", "registry")
    assert (hit.provider, hit.model, hit.tokens) == ("openai", MODEL, Tokens())
    assert (hit.cost_usd, hit.registry_cost_usd, hit.rates) == (0, 0, ())
    assert (hit.registry_version, hit.request_id) != (None, made.request_id)
    assert hit.metadata == {
        "endpoint": "/v1/chat/completions",
        "gateway_token_id": token(1).id,
        "status": 200,
        "saved_usd": str(COST_USD),
        "saved_tokens": 30,
    }
    assert (first.request_count, first.cache_hit_count) == (2, 2)
    assert Decimal(str(hit.metadata["saved_usd"])) == made.cost_usd


async def test_hits_stand_in_logs_totals_and_receipts_at_no_cost(tmp_path: Path) -> None:
    async with (
        upstream(always(whole(CHAT))) as provider,
        gateway(tmp_path, provider.url, meters=meter_for) as server,
    ):
        for _ in range(3):
            await server.raw(chat(FORCED))
        container = server.container
        issued = await container.create_api_key()("p0")
        rows, stats = [
            json.decode(split(await server.raw(call(path=path, token=issued.secret)))[2])
            for path in (b"/api/v1/logs", b"/api/v1/stats")
        ]
        certified = await container.certify_logs()(P1, EVERY)
        findings = await check_database(container.engine(), lambda *_: None)

    assert [(row["kind"], row["cost"], row["input_tokens"]) for row in rows] == [
        ("cache_hit", 0, 0),
        ("cache_hit", 0, 0),
        ("call", float(COST_USD), 10),
    ]
    assert rows[0]["metadata"]["saved_usd"] == str(COST_USD)
    summary = stats["summary"]
    assert (summary["total_requests"], summary["total_cost"]) == (3, "0.00001350")
    assert summary["total_tokens"] == 30
    assert certified.value.count == 3
    assert findings == []


async def test_listeners_and_figures_know_what_the_cache_did(tmp_path: Path) -> None:
    async with (
        upstream(always(whole(CHAT))) as provider,
        gateway(tmp_path, provider.url, meters=meter_for) as server,
    ):
        listener = server.container.events().subscribe("test")
        for wish in (FORCED, FORCED, b"Cache-Control: no-store"):
            await server.raw(chat(wish))
        told = await listener.take(3)
        text = exposition(server.container).decode()

    assert [event.cache for event in told] == ["stored (forced)", "hit", "bypass"]
    assert [event.cost_usd for event in told] == [COST_USD, 0, COST_USD]
    counts = dict(re.findall(r"(?m)^llm_proxy_cache_(\w+)_total (\d)\.0$", text))
    assert counts == {"hits": "1", "misses": "2", "bypass": "1", "stores": "1"}


async def test_hits_use_up_no_request(tmp_path: Path) -> None:
    async with (
        upstream(always(whole(CHAT))) as provider,
        gateway(tmp_path, provider.url, meters=meter_for) as server,
    ):
        await server.container.change_token()(token(1).id, TokenChange(max_requests=1), ORIGIN)
        standings = [await standing(server, chat(FORCED)) for _ in range(3)]
        refused = await server.raw(chat(b"Cache-Control: no-cache"))
        first = await counted(server, token(1).id)

    assert standings == ["stored (forced)", "hit", "hit"]
    assert (split(refused)[0], error_of(refused)["code"]) == (429, "rate_limit_exceeded")
    assert (first.request_count, first.cache_hit_count) == (1, 2)
    assert len(provider.sent) == 1
