"""What the gateway costs: the same calls straight to the provider, passed through, and metered."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from msgspec import Struct, json
from msgspec.structs import replace
from tests.services.processes import private_folder

from bench.books import Mismatch, Sums, in_postgres
from bench.calls import CacheableCalls, Calls
from bench.load import ACCEPTED, HOST
from bench.postgres import without_flushes
from bench.processes import Program, llmring, own_server
from bench.run import Run, counted
from bench.table import Row
from bench.traffic import JSON
from llmring_app.settings import Settings

PER_SECOND = 4_000
SHARE = 0.4  # of the bare pass-through
ADDED_MS = 0.6
HITS_PER_SECOND = 6_000
CACHE = "http_cache_enabled"  # the setting that switches it on
HITS = 0.99  # of the answers; the first of each are none
MOST_REQUESTS = 1_000_000_000  # of the token, so that each is counted against a limit
MANAGER = "llmr_mg_benchmark_" + "0" * 16
NOBODY = "sk-nobody"  # straight to the provider, who does not ask
PROVIDERS = """
default_api: openai
apis:
  openai:
    base_url: http://{host}:{port}
    allowed_endpoints: [/v1/chat/completions]
    allowed_methods: [POST]
"""


class Gateway(Struct, frozen=True, kw_only=True):
    """A server with one provider, and a token for it with a limit."""

    server: Program
    database: str
    token: str
    token_id: str

    def stored(self, said: Sums) -> dict[str, Sums]:
        """Return what is in the books, and how many calls were counted against the limit."""
        body = _managed(self.server, "GET", f"/manage/tokens/{self.token_id}")
        asked = replace(said, calls=body["request_count"])  # it counts nothing else
        return in_postgres(self.database) | {"the token's requests": asked}


class Floors(Struct, frozen=True, kw_only=True):
    """The same calls without the gateway."""

    straight: Row  # to the provider
    passed: Row  # by a bare pass-through


def chat(run: Run) -> list[Row]:
    """Chat completions, answered whole."""
    with own_server("provider") as provider:
        with own_server("passing", "--to", str(provider.port)) as passing:
            many = _floors(run, provider, passing, run.sizes.connections)
            one = _floors(run, provider, passing, 1)
        with run.database() as url, gateway(url, provider) as served:
            calls = Calls(served.token)
            lonely = _lonely(run, served, calls, one)
            loaded = _loaded(run, served, calls, many)
            books = counted_calls("chat completions", served, calls)
            hits = _cache_hits(run, served)
        with run.database() as url:
            without_flushes(url)
            with gateway(url, provider) as served:
                calls = Calls(served.token)
                row = run.measure(served.server, calls, 1, "the same, commits not flushed")
                unflushed_books = counted_calls("the same, not flushed", served, calls)
    floors = [many.straight, many.passed, one.straight, one.passed]
    unflushed = _unflushed(row, lonely, one)
    return [*floors, loaded, lonely, unflushed, books, unflushed_books, *hits]


@contextmanager
def gateway(url: str, provider: Program) -> Iterator[Gateway]:
    """A server on this database, started and managed as a user would."""
    with private_folder() as folder:
        file = folder / "providers.yaml"
        file.write_text(PROVIDERS.format(host=HOST, port=provider.port))
        settings = {"LLMRING_API_CONFIG_PATH": str(file), "LLMRING_MANAGEMENT_TOKEN": MANAGER}
        if CACHE in Settings.__struct_fields__:
            settings[f"LLMRING_{CACHE.upper()}"] = "true"
        with llmring(url, more=settings) as server:
            project = {"name": "benchmark", "api_key": "sk-of-the-provider"}
            made = _managed(server, "POST", "/manage/projects", project)
            wanted = {"duration_minutes": 24 * 60, "max_requests": MOST_REQUESTS}
            wanted |= {"project_id": made["id"]}
            token = _managed(server, "POST", "/manage/tokens", wanted)
            yield Gateway(server=server, database=url, token=token["token"], token_id=token["id"])


def share(row: Row, floor: Row) -> float:
    """Return how much of the floor's requests a second there are."""
    assert row.load is not None  # noqa: S101  measured rows have one
    assert floor.load is not None  # noqa: S101
    return row.load.per_second / floor.load.per_second if floor.load.per_second else 0.0


def counted_calls(figure: str, served: Gateway, *calls: Calls) -> Row:
    """Compare what was answered with what is stored, and with the token's own count."""
    none = Sums(calls=0, tokens=0, cost_usd=Decimal(0))
    said = sum((each.acknowledged() for each in calls), none)
    unanswered = sum(each.unanswered for each in calls)
    return counted(figure, said, served.stored(said), unanswered)


def _floors(run: Run, provider: Program, passing: Program, connections: int) -> Floors:
    figure = f"{connections} connection{'s' * (connections > 1)}"
    return Floors(
        straight=run.measure(
            provider, Calls(NOBODY), connections, f"floor: chat straight to the provider, {figure}"
        ),
        passed=run.measure(
            passing, Calls(NOBODY), connections, f"floor: chat through bare aiohttp, {figure}"
        ),
    )


def _loaded(run: Run, served: Gateway, calls: Calls, floors: Floors) -> Row:
    many = run.sizes.connections
    figure = f"chat completion through the gateway, {many} connections, PostgreSQL"
    row = run.measure(served.server, calls, many, figure)
    assert row.load is not None  # noqa: S101  measured rows have one
    part = share(row, floors.passed)
    return replace(
        row,
        target=f"{PER_SECOND:,} requests/s, {SHARE} of bare aiohttp",
        measured=f"{row.load.per_second:,.0f} requests/s, {part:.2f}",
        reached=row.load.per_second >= PER_SECOND and part >= SHARE,
        floor=_described(floors),
    )


def _lonely(run: Run, served: Gateway, calls: Calls, floors: Floors) -> Row:
    figure = "chat completion through the gateway, 1 connection, PostgreSQL"
    row = run.measure(served.server, calls, 1, figure)
    added = _p50_ms(row) - _p50_ms(floors.straight)
    return replace(row, measured=f"p50 {added:.2f} ms more than direct", floor=_described(floors))


def _unflushed(row: Row, flushed: Row, floors: Floors) -> Row:
    added = _p50_ms(row) - _p50_ms(floors.straight)
    flush = _p50_ms(flushed) - _p50_ms(row)
    return replace(
        row,
        figure=f"{flushed.figure}, commits not flushed",
        target=f"p50 {ADDED_MS} ms more than direct",
        measured=f"p50 {added:.2f} ms more; waiting for the disk {flush:.2f} ms",
        reached=added <= ADDED_MS,
    )


def _cache_hits(run: Run, served: Gateway) -> list[Row]:
    """The same calls, whose callers take the answers of earlier ones."""
    figure = f"answer from the gateway's cache, {run.sizes.connections} connections"
    target = f"{HITS_PER_SECOND:,} requests/s"
    if CACHE not in Settings.__struct_fields__:
        return [Row(figure=figure, target=target, measured=f"not measured: no {CACHE} to set")]
    calls, before = CacheableCalls(served.token), _records(served)
    row = run.measure(served.server, calls, run.sizes.connections, figure)
    answers, records = calls.acknowledged().calls, _records(served) - before
    assert row.load is not None  # noqa: S101  measured rows have one
    row = replace(
        row,
        target=target,
        measured=f"{row.load.per_second:,.0f} requests/s; {calls.hits:,} of {answers:,} were hits",
        reached=row.load.per_second >= HITS_PER_SECOND and calls.hits >= HITS * answers,
    )
    books = Row(
        figure="answers from the cache: counted",
        measured=f"{answers:,} calls: acknowledged; {records:,} records",
        wrong=not answers <= records <= calls.sent,
    )
    return [row, books]


def _records(served: Gateway) -> int:
    return in_postgres(served.database)["records"].calls


def _described(floors: Floors) -> str:
    named = (("direct", floors.straight), ("bare aiohttp", floors.passed))
    return "; ".join(
        f"{name} {row.load.per_second:,.0f}/s, p50 {row.load.p50_ms:.2f} ms, CPU {row.cpu_ms:.3f}"
        for name, row in named
        if row.load is not None
    )


def _p50_ms(row: Row) -> float:
    assert row.load is not None  # noqa: S101  measured rows have one
    return row.load.p50_ms


def _managed(
    server: Program, method: str, path: str, body: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """Ask the management API. Raises Mismatch when it refuses."""
    headers = JSON | {"Authorization": f"Bearer {MANAGER}"}
    status, answer = server.ask(method, path, headers, json.encode(body) if body else None)
    if status not in ACCEPTED:
        raise Mismatch(f"{method} {path} answered {status}: {answer.decode()}")
    return dict(json.decode(answer))
