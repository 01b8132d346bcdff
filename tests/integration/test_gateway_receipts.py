"""A call of a project that issues receipts has one within moments, which anybody can check."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient
from msgspec import json
from msgspec.structs import replace

from llmring_adapters.system import utc_now
from llmring_app.container import Container
from llmring_app.database import opened
from llmring_app.gateway_upkeep import Missed
from llmring_app.metrics import exposition
from tests.builders.kernel import P1, FakeClock
from tests.integration.gateway import Gateway, gateway, post, split, until
from tests.integration.server import NO_TLS, run
from tests.integration.upstream import always, upstream, whole

ISSUING = {"issues_receipts": True}
RECEIPTS = "/api/v1/receipts/"
FAILED = b"llmring_gateway_receipts_failed_total %d.0"


class Customer:
    """Whoever pays for the project's calls."""

    def __init__(self, http: AsyncClient) -> None:
        self._http = http

    async def get(self, path: str) -> Any:
        answer = await self._http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def receipts(self) -> list[str]:
        """Return the documents as they are served, by number."""
        lines = (await self._http.get(f"{RECEIPTS}export?format=jsonl")).text.splitlines()
        return sorted(lines, key=lambda line: int(json.decode(line)["seq"]))

    async def has(self, count: int) -> bool:
        return len(await self.receipts()) >= count


@asynccontextmanager
async def paying(server: Gateway) -> AsyncIterator[Customer]:
    issued = await server.container.create_api_key()("p0")
    headers = {"X-API-Key": issued.secret}
    async with AsyncClient(base_url=server.url, headers=headers, verify=NO_TLS) as http:
        yield Customer(http)


def provider() -> Any:
    return upstream(always(whole(b'{"usage":18}')))


async def called(server: Gateway, times: int = 1) -> None:
    answers = [split(await server.raw(post())) for _ in range(times)]
    assert {status for status, _, _ in answers} == {200}


def verified(folder: Path, receipt: str, keys: object) -> dict[str, Any]:
    """Return what ``llmring-server receipts verify`` says, which asks nobody."""
    (folder / "receipt.json").write_text(receipt)
    (folder / "keys.json").write_bytes(json.encode(keys))
    words = (
        "receipts",
        "verify",
        str(folder / "receipt.json"),
        "--keys",
        str(folder / "keys.json"),
    )
    return dict(json.decode(run(folder, *words, "--recompute")))


async def test_each_call_has_a_receipt_that_anybody_can_check(tmp_path: Path) -> None:
    async with (
        provider() as asked,
        gateway(tmp_path, asked.url, project=ISSUING) as server,
        paying(server) as customer,
    ):
        await called(server, 3)
        await until(lambda: customer.has(3))
        receipts = await customer.receipts()
        keys = await customer.get("/receipts/public-keys.json")
        uncertified = await customer.get(f"{RECEIPTS}uncertified")
        logs = [await customer.get(f"{RECEIPTS}{json.decode(one)['id']}/logs") for one in receipts]
        calls = await customer.get("/api/v1/logs")

    stated = [json.decode(one) for one in receipts]
    assert [one["seq"] for one in stated] == [1, 2, 3]
    assert {one["usage_id"] for one in stated} == {str(one["id"]) for one in calls}
    assert [[log["id"] for log in one["logs"]] for one in logs] == [
        [one["usage_id"]] for one in stated
    ]
    assert (uncertified["logs"], uncertified["total"]) == ([], 0)
    report = verified(tmp_path, receipts[-1], keys)
    assert [step["name"] for step in report["steps"]] == ["form", "signature", "cost"]
    assert report["valid"]


async def test_a_project_that_does_not_issue_receipts_has_none(tmp_path: Path) -> None:
    async with (
        provider() as asked,
        gateway(tmp_path, asked.url) as server,
        paying(server) as customer,
    ):
        await called(server)
        assert server.container.certifier().waiting == 0
        assert (await customer.get(f"{RECEIPTS}uncertified"))["total"] == 1


async def test_without_a_signing_key_calls_go_on_and_their_receipts_come_later(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with (
        provider() as asked,
        gateway(tmp_path, asked.url, project=ISSUING) as server,
        paying(server) as customer,
    ):
        container = server.container
        await stopped(container)
        for count in (1, 2):
            await called(server)
            await until(lambda count=count: has_failed(container, count))
        assert (await customer.get(f"{RECEIPTS}uncertified"))["total"] == 2
        said = capfd.readouterr()
        assert (said.out + said.err).count("receipts of calls are issued late for now") == 1

        await resumed(container)
        later = FakeClock(utc_now() + timedelta(minutes=1))
        await Missed(container.certify_missed(clock=later)).certify()
        assert len(await customer.receipts()) == 2
        assert (await customer.get(f"{RECEIPTS}uncertified"))["total"] == 0


async def test_a_server_that_stops_in_order_first_issues_what_waits(tmp_path: Path) -> None:
    async with provider() as asked, gateway(tmp_path, asked.url, project=ISSUING) as server:
        await called(server, 2)

    settings = server.container.settings()
    container = Container(settings=settings)
    async with opened(container), container.begin()() as work:
        issued = await work.receipts.numbered(P1, 1, 10)
    assert [one.seq for one in issued] == [1, 2]
    for words in (("receipts", "audit"), ("db", "check")):
        run(tmp_path, *words, database_url=settings.database_url)


async def has_failed(container: Container, count: int) -> bool:
    return FAILED % count in exposition(container)


async def stopped(container: Container) -> None:
    """Retire the key that signs."""
    async with container.begin()() as work:
        [key] = await work.keys.all()
        await work.keys.put(replace(key, retired_at=utc_now()))


async def resumed(container: Container) -> None:
    async with container.begin()() as work:
        [key] = await work.keys.all()
        await work.keys.put(replace(key, retired_at=None))
