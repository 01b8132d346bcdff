"""A public registry away, hanging, lying or frozen: calls are priced from the last good content."""

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec import json

from tests.faults.registry import (
    Behaviour,
    ScriptedRegistry,
    answering,
    dated,
    files_of,
    publishing,
    refuse,
    scripted,
)
from tests.integration.server import RunningServer, running
from tests.unit.registry.builders import PRICE, entry, published

WAIT_S = 20.0
INPUT = f"{PRICE}input"
GOOD = files_of(100)
HTML = b"<!DOCTYPE html><title>Sorry</title>"
JSON = "Content-Type: application/json"
OPENAI = GOOD["openai"]


class Stage(NamedTuple):
    server: RunningServer
    registry: ScriptedRegistry


@pytest.fixture(scope="module")
def whole_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A server that asks every second, and has the registry's content in force."""
    folder = tmp_path_factory.mktemp("registry-faults")
    with (
        scripted(publishing(GOOD)) as registry,
        running(folder, registry_base_url=registry.url, registry_refresh_s="1") as server,
    ):
        yield Stage(server, registry)


@pytest.fixture
def stage(whole_stage: Stage) -> Iterator[Stage]:
    until(whole_stage.server, lambda standing: standing["status"] == "current")
    yield whole_stage
    whole_stage.registry.behave = publishing(GOOD)


def until(server: RunningServer, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait for what ``/health`` says of the registry, and return it."""
    deadline = time.monotonic() + WAIT_S
    while True:
        standing: dict[str, Any] = server.http.get("/health/ready").json()["registry"]
        if is_so(standing):
            return standing
        assert time.monotonic() < deadline, standing
        time.sleep(0.05)


def cost_of_a_call(server: RunningServer, provider: str = "openai", model: str = "m") -> Decimal:
    """What 1000 tokens in and 200 out cost."""
    logged = server.tenant().log(provider=provider, model=model)
    assert logged["cost_status"] == "registry"
    return Decimal(str(logged["cost"]))


def openai_with(member: str, literal: str) -> bytes:
    """The next edition, with one value as written here."""
    body = dated(published("openai", 101, m=entry(**{member: "HERE"})))
    return body.replace(b'"HERE"', literal.encode())


REFUSED: dict[str, tuple[Behaviour, str]] = {
    "500": (answering(b"oops", "500 Internal Server Error"), "answered 500"),
    "a redirect": (answering(b"", "302 Found", "Location: /elsewhere"), "answered 302"),
    "an HTML page": (answering(HTML, "200 OK", "Content-Type: text/html"), "text/html"),
    "cut short": (publishing(GOOD | {"openai": OPENAI[:-9]}), "is no registry file"),
    "oversized": (answering(b" " * (8 * 2**20 + 1)), "more than"),
    "a bomb": (publishing(GOOD | {"openai": b"[" * 10**6}), "is no registry file"),
    "free": (publishing(GOOD | {"openai": openai_with(INPUT, '"free"')}), "no number"),
    "NaN": (publishing(GOOD | {"openai": openai_with(INPUT, "NaN")}), "is no registry file"),
    "a price twice": (
        publishing(GOOD | {"openai": openai_with(INPUT, f'1,"{INPUT}":2')}),
        "given twice",
    ),
    "gone back": (publishing(files_of(99, **{INPUT: 0})), "went back from version 100 to 99"),
    "rewritten": (publishing(files_of(100, **{INPUT: 0})), "changed version 100"),
}


def test_whatever_it_answers_the_last_good_content_stays_in_force(stage: Stage) -> None:
    before = stage.server.http.get("/registry")
    assert before.headers["x-registry-status"] == "current"
    cost = cost_of_a_call(stage.server)
    for name, (behaviour, reason) in REFUSED.items():
        stage.registry.behave = behaviour
        standing = until(
            stage.server, lambda found, reason=reason: reason in (found["error"] or "")
        )
        assert standing["status"] == "stale" and standing["source"] == "registry", name
        assert reason in standing["last_refusal"], name
        after = stage.server.http.get("/registry")
        assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])
        assert after.headers["x-registry-status"] == "stale"
        assert cost_of_a_call(stage.server) == cost
    refusals = standing["refusals"]
    assert refusals >= len(REFUSED)
    stage.registry.behave = publishing(GOOD)
    standing = until(stage.server, lambda found: found["status"] == "current")
    assert (standing["error"], standing["refusals"] >= refusals) == (None, True)
    assert "changed version 100" in standing["last_refusal"]
    text = stage.server.http.get("/metrics").text
    assert f"llmring_registry_refusals_total {standing['refusals']:.1f}" in text
    assert "llmring_registry_frozen 0.0" in text


def test_a_registry_that_shows_nothing_new_for_ever_is_called_frozen(stage: Stage) -> None:
    old = {name: dated(body, "2020-02-02") for name, body in GOOD.items()}
    stage.registry.behave = publishing(old)
    standing = until(stage.server, lambda found: found["status"] == "frozen")
    assert standing["error"] == "the registry published nothing since 2020-02-02"
    assert stage.server.http.get("/registry").headers["x-registry-status"] == "frozen"
    assert stage.server.http.get("/health/ready").status_code == 200


@pytest.fixture(params=["dead", "HTML", "hanging"])
def fault(request: pytest.FixtureRequest) -> Iterator[ScriptedRegistry]:
    with scripted(refuse) as registry:
        faults = {"dead": refuse, "HTML": answering(HTML), "hanging": registry.hang}
        registry.behave = faults[request.param]
        yield registry


def test_a_first_start_without_a_registry_prices_from_the_package(
    fault: ScriptedRegistry, tmp_path: Path
) -> None:
    with running(tmp_path, registry_base_url=fault.url, registry_refresh_s="1") as server:
        standing = server.http.get("/health/ready").json()["registry"]
        assert (standing["version"], standing["source"]) == ("2026.08.18", "bundled")
        assert standing["status"] == "stale"
        assert server.http.get("/registry").headers["x-registry-status"] == "stale"
        assert cost_of_a_call(server, "openai", "gpt-4o-mini") == Decimal("0.00027")
        # It asked, and did not wait for an answer to start.
        deadline = time.monotonic() + WAIT_S
        while not fault.asked and time.monotonic() < deadline:
            time.sleep(0.05)
        assert set(fault.asked) == {"openai", "anthropic", "google"}
        fault.released.set()
        fault.behave = publishing(GOOD)
        until(server, lambda found: found["status"] == "current")
        assert cost_of_a_call(server) == Decimal("0.000135")


def test_what_it_publishes_is_in_force_and_in_the_changelog(tmp_path: Path) -> None:
    with (
        scripted(publishing(GOOD)) as registry,
        running(tmp_path, registry_base_url=registry.url, registry_refresh_s="1") as server,
    ):
        first = until(server, lambda found: found["status"] == "current")["version"]
        registry.behave = publishing(files_of(101, **{INPUT: Decimal("0.080000000001")}))
        second = until(server, lambda found: found["version"] != first)["version"]
        query = f"from={first}&to={second}&providers=google"
        answer = server.http.get(f"/registry/changelog?{query}")
        (changes,) = json.Decoder(float_hook=Decimal).decode(answer.content)["versions"]
        (change,) = changes["changes"]
        assert (change["type"], change["field"]) == ("price.changed", INPUT)
        assert (change["old"], change["new"]) == (Decimal("0.075"), Decimal("0.080000000001"))
        editions = [server.http.get(f"/registry/google/v/{n}/models.json") for n in (100, 101)]
        prices = [each.json()["models"]["google:m"][INPUT] for each in editions]
        assert prices == [0.075, 0.080000000001]
