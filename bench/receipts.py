"""What receipts cost: signing them, checking them, and the log that has them."""

import asyncio
from collections.abc import Awaitable, Callable
from json import loads
from time import perf_counter, process_time

import asyncpg  # type: ignore[import-untyped]
import rfc8785
from msgspec import json
from msgspec.structs import replace
from nacl.signing import SigningKey

from bench.books import SCHEMA
from bench.log import extended
from bench.processes import llmring
from bench.run import Run
from bench.table import Row
from bench.traffic import JSON, Receipts, Repeated, keys, request
from llmring_adapters.database import open_engine
from llmring_adapters.migrations import migrate
from llmring_adapters.receipts.local_key import LocalReceiptKey
from llmring_adapters.registry.bundled import bundled_snapshot
from llmring_adapters.registry.live import LiveRegistry
from llmring_adapters.system import random_secret, time_ordered_id, utc_now
from llmring_adapters.transactions.memory import memory_transactions
from llmring_adapters.transactions.sql import sql_reads, sql_transactions
from llmring_adapters.transparency.local_key import LocalLogKey
from llmring_core.canonical import document_in
from llmring_core.ids import ProjectId, UsageId
from llmring_core.receipts import (
    AdoptKey,
    CertifyingWork,
    Issuance,
    IssueTogether,
    PublicKey,
    verified,
)
from llmring_core.transactions import Begin
from llmring_core.transparency import RECEIPT, ContinueLog, Leaf
from llmring_core.usage import Tokens, UsageToLog, recorded

GROUP = 64  # receipts of one transaction
ISSUE_TIMES = 3.0  # the bare cost of its parts
VERIFY_TIMES = 1.5
MOST_LEAVES = 50_000
LEAVES_PER_SECOND = 5_000
LOG_SIZES = (1_000, 10_000, 100_000, 1_000_000)
PROOF_CPU_MS = 2.0
PROVERS = 8  # connections
SEED = bytes(range(32))
SIGNER = LocalReceiptKey(SEED)
PROJECT = ProjectId("01a1fb83-d665-7506-b0d8-a439d5132212")
BARE = (
    "CREATE TABLE bare (id text PRIMARY KEY, project text, seq bigint, body text, signature text)"
)
BARE_INSERT = (
    "INSERT INTO bare SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[],"
    " $5::text[])"
)


def issue(run: Run) -> list[Row]:
    """Receipts for calls: priced, signed, stored and logged."""
    many, seconds = run.sizes.connections, run.sizes.seconds / 2
    with run.database() as url, llmring(url) as server:
        figure = f"POST /api/v1/receipts, {many} connections, PostgreSQL"
        served = run.measure(server, Receipts(), many, figure)
    run.progress(f"issue {GROUP} receipts in a transaction")
    with run.database() as url:
        ours = asyncio.run(_issuing_us(url, seconds))
        body, _ = _sample()
        insert = asyncio.run(_inserting_us(url, body.decode(), seconds))
    document, key = loads(body), SigningKey(SEED)
    canonicalise = _microseconds(lambda: rfc8785.dumps(document), seconds)
    sign = _microseconds(lambda: key.sign(body), seconds)
    bare = canonicalise + sign + insert
    together = Row(
        figure=f"issue {GROUP} receipts in a transaction, PostgreSQL, without HTTP",
        target=f"{ISSUE_TIMES:g} times its bare parts",
        measured=f"{1e6 / ours:,.0f}/s, {ours / bare:.2f} times",
        reached=ours / bare <= ISSUE_TIMES,
        floor=f"rfc8785 {canonicalise:.0f} us + PyNaCl {sign:.0f} us + INSERT {insert:.0f} us",
    )
    return [served, together]


def verify(run: Run) -> list[Row]:
    """A receipt as it is served, from its bytes to the verdict."""
    run.progress("verify")
    seconds = run.sizes.seconds / 2
    body, served = _sample()
    private = SigningKey(SEED)
    public, signature = private.verify_key, private.sign(body).signature
    known = [
        PublicKey(
            id=SIGNER.key_id,
            raw=SIGNER.public_key,
            not_before=utc_now(),
            retired_at=None,
            revoked_at=None,
        )
    ]

    def bare() -> None:
        public.verify(rfc8785.dumps(loads(body)), signature)

    def ours() -> None:
        assert verified(document_in(served), known).valid  # noqa: S101

    bare_us, ours_us = _microseconds(bare, seconds), _microseconds(ours, seconds)
    return [
        Row(
            figure="verify a receipt, one core",
            target=f"{VERIFY_TIMES} times the library calls",
            measured=f"{1e6 / ours_us:,.0f}/s, {ours_us / bare_us:.2f} times",
            reached=ours_us / bare_us <= VERIFY_TIMES,
            floor=f"json, rfc8785 and PyNaCl {bare_us:.0f} us",
        )
    ]


def sequencer(run: Run) -> list[Row]:
    """Taking leaves that wait into the log."""
    leaves = min(run.sizes.rows, MOST_LEAVES)
    figure = f"take {leaves:,} leaves into the log, PostgreSQL"
    run.progress(figure)
    with run.database() as url:
        seconds, cpu_s = asyncio.run(_sequencing(url, leaves))
    return [
        Row(
            figure=figure,
            target=f"{LEAVES_PER_SECOND:,} leaves/s",
            measured=f"{leaves / seconds:,.0f} leaves/s, {cpu_s / leaves * 1e6:.0f} us CPU each",
            reached=leaves / seconds >= LEAVES_PER_SECOND,
        )
    ]


def proofs(run: Run) -> list[Row]:
    """The proof of one receipt, in logs of different sizes."""
    rows = []
    headers = JSON | {"X-API-Key": keys()[0]}
    with run.database() as url, llmring(url) as server:
        _, body = server.ask("POST", "/api/v1/receipts/", headers, Receipts.body())
        path = f"/api/v1/receipts/{json.decode(body)['receipt_id']}/proof"
        while server.ask("GET", path, headers)[0] != 200:  # it is taken into the log
            pass
        question = Repeated([request("GET", path, keys()[0])])
        for size in [one for one in LOG_SIZES if one <= max(run.sizes.rows, LOG_SIZES[0])]:
            figure = (
                f"GET a receipt's proof, {PROVERS} connections, log of {size:,} entries, PostgreSQL"
            )
            run.progress(f"{figure}: fill")
            asyncio.run(extended(url, server.folder / "llmring-log.key", size))
            row = run.measure(server, question, PROVERS, figure)
            _, proof = server.ask("GET", path, headers)
            cpu_ms = row.cpu_ms or 0.0
            rows.append(
                replace(
                    row,
                    target=f"{PROOF_CPU_MS:g} ms CPU",
                    measured=f"{cpu_ms:.2f} ms CPU, {len(proof):,} bytes",
                    reached=cpu_ms < PROOF_CPU_MS,
                )
            )
    return rows


def _microseconds(work: Callable[[], object], seconds: float) -> float:
    """Return how long ``work`` takes on average."""
    times, start = 0, perf_counter()
    while (now := perf_counter()) < start + seconds or not times:
        work()
        times += 1
    return (now - start) / times * 1e6


async def _each_us(work: Callable[[], Awaitable[object]], seconds: float) -> float:
    """Return how long ``work`` takes on average, for each of a group."""
    await work()
    times, start = 0, perf_counter()
    while (now := perf_counter()) < start + seconds or not times:
        await work()
        times += 1
    return (now - start) / times / GROUP * 1e6


def _issuances() -> list[Issuance]:
    call = UsageToLog(
        provider="openai",
        model="gpt-4.1",
        tokens=Tokens(input_uncached=900, input_cache_read=100, output=200),
        alias="fast",
    )
    quote = LiveRegistry(bundled_snapshot()).quote(call.provider, call.model)
    id, now = UsageId(time_ordered_id()), utc_now()
    record = recorded(PROJECT, call, quote, id=id, at=now, request_id=None)
    return [Issuance(record=record, lock_digest=None, attempts=(), in_ledger=False)] * GROUP


def _together(begin: Begin[CertifyingWork]) -> IssueTogether:
    return IssueTogether(begin, SIGNER, utc_now, time_ordered_id, random_secret)


def _sample() -> tuple[bytes, bytes]:
    """Return what is signed of a receipt, and the receipt as it is served."""

    async def issued() -> tuple[bytes, bytes]:
        begin = memory_transactions()
        await AdoptKey(begin, SIGNER, utc_now)()
        stored = (await _together(begin)(_issuances()))[0]
        return stored.body.encode(), stored.document.encode()

    return asyncio.run(issued())


async def _issuing_us(url: str, seconds: float) -> float:
    engine = open_engine(url, SCHEMA)
    try:
        await migrate(engine, SCHEMA)
        begin = sql_transactions(engine)
        await AdoptKey(begin, SIGNER, utc_now)()
        issue, group = _together(begin), _issuances()
        return await _each_us(lambda: issue(group), seconds)
    finally:
        await engine.dispose()


async def _inserting_us(url: str, body: str, seconds: float) -> float:
    """The same rows with nothing else, in one statement and its commit."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(BARE)
        statement = await connection.prepare(BARE_INSERT)

        async def insert() -> None:
            ids = [time_ordered_id() for _ in range(GROUP)]
            rest = [PROJECT] * GROUP, [*range(GROUP)], [body] * GROUP, ["s" * 94] * GROUP
            await statement.fetch(ids, *rest)

        return await _each_us(insert, seconds)
    finally:
        await connection.close()


async def _sequencing(url: str, leaves: int) -> tuple[float, float]:
    """Return the seconds it takes, and those of this process's CPU."""
    engine = open_engine(url, SCHEMA)
    try:
        await migrate(engine, SCHEMA)
        begin, signer = sql_transactions(engine), LocalLogKey("bench", SEED)
        for first in range(0, leaves, 5_000):
            waiting = [
                Leaf(id=time_ordered_id(), kind=RECEIPT, commitment=random_secret())
                for _ in range(first, min(first + 5_000, leaves))
            ]
            async with begin() as work:
                await work.log.add(waiting)
        continue_log = ContinueLog(begin, sql_reads(engine), signer)
        start, cpu_s, taken = perf_counter(), process_time(), 0
        while taken < leaves:
            taken += await continue_log()
        return perf_counter() - start, process_time() - cpu_s
    finally:
        await engine.dispose()
