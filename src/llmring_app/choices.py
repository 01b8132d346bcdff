"""Which adapter suits the settings."""

import os
from functools import partial
from pathlib import Path
from typing import Protocol

from httpx import AsyncClient

from llmring_adapters.database import connect_postgres
from llmring_adapters.gateway.cache_memory import MemoryResponseCache
from llmring_adapters.gateway.cache_redis import RedisResponseCache
from llmring_adapters.gateway.event_file import EventFile
from llmring_adapters.gateway.events_memory import MemoryEventBus
from llmring_adapters.gateway.journal import BufferedJournal, SharedLines
from llmring_adapters.gateway.postgres_charges import PostgresCharges
from llmring_adapters.gateway.postgres_journal import PostgresLines
from llmring_adapters.group_commit import GroupCommit
from llmring_adapters.redis import BoundedRedis
from llmring_adapters.registry.board import MemoryCheckBoard, RedisCheckBoard
from llmring_adapters.sqlite import OwnThread, Turn
from llmring_adapters.transparency.witness_web import WebWitness
from llmring_adapters.usage.intake import GroupIntake, in_one_transaction
from llmring_adapters.usage.postgres import PostgresWriter
from llmring_adapters.usage.sqlite import SqliteWriter
from llmring_app.encryption_keys import marking_key
from llmring_app.errors import CannotStart
from llmring_app.measures import Measures
from llmring_app.places import sqlite_file
from llmring_app.settings import Settings, variable
from llmring_app.witness_keys import witness_in
from llmring_core.clock import Clock
from llmring_core.gateway import ChargeTogether, GatewayWork, Taken, Use
from llmring_core.gateway.caching import CachePolicy
from llmring_core.gateway.dialects import TokenCounter
from llmring_core.gateway.events import ExcerptLimits
from llmring_core.gateway.forwarding import Upstream
from llmring_core.gateway.journal import AttemptWork
from llmring_core.gateway.lost_attempts import RenewLeases, WriteDown
from llmring_core.ids import NewSecret
from llmring_core.transactions import Begin
from llmring_core.usage import UsageWork

SHARE_OF_INTERVAL = 0.8


class OpenUpstream(Upstream, Protocol):
    """Connections to providers, which are let go of in the end."""

    async def close(self) -> None: ...


def grouped_intake(
    settings: Settings, begin: Begin[UsageWork], turn: Turn, measures: Measures
) -> GroupIntake:
    """Return the way into the ledger that suits the database."""
    if settings.is_sqlite:
        file = sqlite_file(settings)
        if file is None:  # in memory, where each connection would have a database of its own
            return GroupCommit(in_one_transaction(begin), measures=measures.intake)
        own = OwnThread(file, turn, measures.outages)
        return GroupCommit(SqliteWriter(own), close=own.close, measures=measures.intake)
    connect = partial(connect_postgres, settings.database_url, settings.database_schema)
    writer = PostgresWriter(connect, measures.outages)
    return GroupCommit(writer, close=writer.close, measures=measures.intake)


def journal_of(
    settings: Settings, begin: Begin[AttemptWork], clock: Clock, measures: Measures
) -> BufferedJournal:
    """Return the journal of attempts that suits the database."""
    renew = RenewLeases(begin, clock)
    if settings.is_sqlite:
        return BufferedJournal(WriteDown(SharedLines(begin), clock), renew)
    connect = partial(connect_postgres, settings.database_url, settings.database_schema)
    lines = PostgresLines(connect, measures.outages)
    return BufferedJournal(WriteDown(lines, clock), renew, lines.close)


def charges_of(
    settings: Settings, begin: Begin[GatewayWork], clock: Clock, measures: Measures
) -> GroupCommit[Use, Taken]:
    """Return the way to charge tokens that suits the database."""
    together = ChargeTogether(begin, clock)
    if settings.is_sqlite:
        return GroupCommit(together)
    connect = partial(connect_postgres, settings.database_url, settings.database_schema)
    charges = PostgresCharges(connect, together, clock, measures.outages)
    return GroupCommit(charges, charges.close)


def validity_of_a_check(settings: Settings) -> float:
    """Return for how many seconds one server's check of the registry counts for the others.

    Less than an interval, so that whoever asked asks again the next time.
    """
    return min(settings.cache_ttl, SHARE_OF_INTERVAL * settings.registry_refresh_s)


def redis_of(settings: Settings) -> BoundedRedis | None:
    """Return the Redis that servers share, if there is one."""
    return None if settings.redis_url is None else BoundedRedis(settings.redis_url)


def cache_redis_of(settings: Settings) -> BoundedRedis | None:
    """Return the Redis that providers' answers are kept in, if they are kept in one."""
    url = settings.redis_for_cache
    if settings.api_config_path is None or not settings.is_redis_cached or url is None:
        return None
    return BoundedRedis(url)


def response_cache_of(
    settings: Settings, redis: BoundedRedis | None, clock: Clock, new_secret: NewSecret
) -> MemoryResponseCache | RedisResponseCache | None:
    """Return what keeps providers' answers; None where there is nothing to be kept.

    Raises: CannotStart.
    """
    if settings.api_config_path is None or not settings.http_cache_enabled:
        return None
    if redis is None:
        return MemoryResponseCache(clock, settings.http_cache_max_bytes)
    return RedisResponseCache(
        redis,
        marking_key(settings, new_secret),
        clock,
        settings.http_cache_max_object_bytes,
        settings.redis_cache_key_prefix,
    )


def cache_policy_of(settings: Settings) -> CachePolicy:
    """Return which answers are kept, and for how long."""
    return CachePolicy(
        default_ttl_s=settings.http_cache_default_ttl,
        max_object_bytes=settings.http_cache_max_object_bytes,
        stream_responses=settings.http_cache_stream_responses,
    )


def board_of(
    settings: Settings, redis: BoundedRedis | None, valid_s: float
) -> MemoryCheckBoard | RedisCheckBoard:
    """Return where servers tell each other of their checks."""
    if redis is None:
        return MemoryCheckBoard()
    return RedisCheckBoard(redis, settings.registry_base_url, valid_s)


def witnesses_of(settings: Settings, client: AsyncClient) -> list[WebWitness]:
    """Return who cosigns the log."""
    pairs = map(witness_in, settings.witnesses)
    return [WebWitness(client, url, key) for url, key in pairs]


def event_bus_of(settings: Settings) -> MemoryEventBus:
    """Return what carries the gateway's events."""
    return MemoryEventBus(settings.observability_buffer_size, is_on=settings.observability_enabled)


def excerpt_limits_of(settings: Settings) -> ExcerptLimits:
    """Return how much of bodies is told."""
    return ExcerptLimits(
        request_bytes=settings.observability_max_request_body_bytes,
        response_bytes=settings.observability_max_response_body_bytes,
    )


def event_file_of(settings: Settings) -> EventFile | None:
    """Return the file for events, which can be written to; None where none is wanted.

    Raises: CannotStart.
    """
    if settings.file_event_log is None or not settings.observability_enabled:
        return None
    file = EventFile(Path(settings.file_event_log))
    try:
        file.check()
    except OSError as error:
        named = f"{variable('file_event_log')} names {settings.file_event_log}, which"
        reason = os.strerror(error.errno or 0)
        raise CannotStart(f"{named} cannot be written: {reason}") from error
    return file


def upstream_of(max_at_once: int) -> OpenUpstream:
    """Return what asks providers. Its library, of 8 MB, is imported only where it is used."""
    from llmring_adapters.gateway.web import WebUpstream  # noqa: PLC0415  see above

    return WebUpstream(max_at_once)


def counter_of() -> TokenCounter:
    """Return what counts tokens, with a library that is imported only where it is used."""
    from llmring_adapters.counting import PackagedCounter  # noqa: PLC0415  see above

    return PackagedCounter()
