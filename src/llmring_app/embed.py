"""LLMRing inside your own program: the same use cases, no server, no settings, no global state.

``embedded`` only puts parts together that you may as well put together yourself, from
`LogUsage` and the adapters imported here.
"""

from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from llmring_adapters.database import open_engine
from llmring_adapters.migrations import migrate
from llmring_adapters.registry.archive import KeptArchive
from llmring_adapters.registry.bundled import bundled_snapshot
from llmring_adapters.registry.live import LiveRegistry
from llmring_adapters.registry.web import WebRegistrySource, registry_client
from llmring_adapters.system import time_ordered_id, utc_now
from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.transactions.memory import memory_transactions
from llmring_adapters.transactions.sql import sql_reads, sql_transactions
from llmring_adapters.usage.intake import DirectIntake, in_one_transaction
from llmring_app.settings import PUBLIC_REGISTRY
from llmring_core.registry import LoadRegistry, ReadRegistry, RefreshRegistry
from llmring_core.transactions import Begin
from llmring_core.usage import ListUsage, LogUsage, SummariseUsage


@dataclass(frozen=True, slots=True)
class LLMRing:
    """The use cases on one store. Two of these share nothing, unless they share a database."""

    log_usage: LogUsage
    list_usage: ListUsage
    summarise_usage: SummariseUsage
    read_registry: ReadRegistry
    refresh_registry: RefreshRegistry


@asynccontextmanager
async def embedded(
    database_url: str | None = None,
    *,
    schema: str = "llmring",
    registry_base_url: str = PUBLIC_REGISTRY,
) -> AsyncIterator[LLMRing]:
    """Open the database (without one: memory) at this version's schema; close it in the end.

    Prices are those of the database, else those that came with the package; only
    ``refresh_registry`` uses the network. Raises: UnusableDatabaseUrl, SchemaTooNew.
    """
    if database_url is None:
        begin = memory_transactions()
        async with _assembled(begin, begin, registry_base_url) as llmring:
            yield llmring
        return
    engine = open_engine(database_url, schema)
    try:
        await migrate(engine, schema)
        stores = sql_transactions(engine), sql_reads(engine)
        async with _assembled(*stores, registry_base_url) as llmring:
            yield llmring
    finally:
        await engine.dispose()


@asynccontextmanager
async def _assembled(
    begin: Begin[AllWork], read: Begin[AllWork], registry_base_url: str
) -> AsyncIterator[LLMRing]:
    bundled = bundled_snapshot()
    registry = LiveRegistry(bundled)
    await LoadRegistry(begin=begin, registry=registry, bundled=bundled)()
    async with registry_client() as client:
        source = WebRegistrySource(client, registry_base_url)
        yield LLMRing(
            log_usage=LogUsage(
                begin=begin,
                intake=DirectIntake(in_one_transaction(begin)),
                registry=registry,
                clock=utc_now,
                new_id=time_ordered_id,
            ),
            list_usage=ListUsage(begin=read),
            summarise_usage=SummariseUsage(begin=read),
            read_registry=ReadRegistry(registry=registry, archive=KeptArchive(read, registry)),
            refresh_registry=RefreshRegistry(
                begin=begin, registry=registry, source=source, clock=utc_now, aside=to_thread
            ),
        )
