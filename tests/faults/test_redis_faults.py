"""Several servers share their checks of the registry through Redis, and none of them needs it."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from redis import Redis

from tests.faults.proxy import Mode, Proxy, proxy
from tests.faults.registry import ScriptedRegistry, files_of, publishing, scripted
from tests.faults.test_registry_faults import cost_of_a_call, until
from tests.integration.server import RunningServer, running
from tests.unit.registry.builders import PRICE

PROVIDERS = ("openai", "anthropic", "google")
WAIT_S = 20.0
BACK_S = 2.0


class Stage(NamedTuple):
    server: RunningServer
    registry: ScriptedRegistry
    between: Proxy  # the network between server and Redis


@pytest.fixture
def between(redis_url: str) -> Iterator[Proxy]:
    where = urlsplit(redis_url)
    with proxy(where.hostname or "", where.port or 0) as found:
        yield found


def through(between: Proxy, redis_url: str) -> str:
    return urlsplit(redis_url)._replace(netloc=f"127.0.0.1:{between.port}").geturl()


def asked_again(registry: ScriptedRegistry, rounds: int) -> bool:
    """Wait until every provider was asked for so often."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if all(registry.asked.count(provider) >= rounds for provider in PROVIDERS):
            return True
        time.sleep(0.05)
    return False


def test_of_several_servers_one_asks_and_all_are_current(redis_url: str, tmp_path: Path) -> None:
    with scripted(publishing(files_of(100))) as registry, ExitStack() as stack:
        servers = []
        for n in range(3):
            folder = tmp_path / str(n)
            folder.mkdir()
            server = running(
                folder,
                database_url=f"sqlite:///{tmp_path / 'shared.db'}",
                redis_url=redis_url,
                registry_base_url=registry.url,
                registry_refresh_s="3600",
            )
            servers.append(stack.enter_context(server))
        assert servers[0].http.get("/health").json()["redis"] == "connected"
        standings = [until(each, lambda found: found["status"] == "current") for each in servers]
        assert sorted(registry.asked) == sorted(PROVIDERS)
        assert len({standing["version"] for standing in standings}) == 1
        assert {standing["source"] for standing in standings} == {"registry"}
        assert len({cost_of_a_call(each) for each in servers}) == 1


def is_connected_again(server: RunningServer) -> bool:
    deadline = time.monotonic() + BACK_S
    while time.monotonic() < deadline:
        if server.http.get("/health/ready").json()["redis"] == "connected":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("fault", ["refuse", "blackhole"])
def test_without_redis_a_server_asks_for_itself(
    redis_url: str, between: Proxy, tmp_path: Path, fault: Mode
) -> None:
    between.set(fault, 1.0)
    with (
        scripted(publishing(files_of(100))) as registry,
        running(
            tmp_path,
            redis_url=through(between, redis_url),
            registry_base_url=registry.url,
            registry_refresh_s="1",
        ) as server,
    ):
        until(server, lambda found: found["status"] == "current")
        cost = cost_of_a_call(server)
        assert server.http.get("/health").json()["redis"] == "disconnected"
        assert "llmring_redis_failures_total 0.0" not in server.http.get("/metrics").text
        between.set("pass")
        assert is_connected_again(server)
        assert asked_again(registry, len(registry.asked) // 3 + 2)
        with Redis.from_url(redis_url) as redis:
            redis.flushdb()
            for key in redis.keys() or [b"llmring"]:
                redis.set(key, b"garbage")
        between.set(fault, 1.0)
        registry.behave = publishing(files_of(101, **{f"{PRICE}input": 1}))
        before = until(server, lambda _: True)["version"]
        until(server, lambda found: found["version"] != before)
        assert cost_of_a_call(server) > cost
        assert until(server, lambda found: found["status"] == "current")["error"] is None
