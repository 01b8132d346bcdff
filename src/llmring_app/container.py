"""The composition root: the only module that names concrete adapters."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from dependency_injector import containers, providers

from llmring_adapters.accounts.cached import cached_keys
from llmring_adapters.database import connect_postgres, open_engine
from llmring_adapters.registry.bundled import bundled_snapshot
from llmring_adapters.registry.live import LiveRegistry
from llmring_adapters.registry.web import WebRegistrySource, registry_client
from llmring_adapters.system import random_secret, time_ordered_id, utc_now
from llmring_adapters.transactions.sql import sql_reads, sql_transactions
from llmring_adapters.usage.intake import GroupCommit, in_one_transaction
from llmring_adapters.usage.postgres import PostgresWriter
from llmring_app.settings import Settings
from llmring_core.accounts import (
    Authenticate,
    CreateApiKey,
    FindProject,
    ListApiKeys,
    RevokeApiKey,
    RotateApiKey,
)
from llmring_core.registry import (
    LoadRegistry,
    ReadProviderFile,
    ReadRegistry,
    ReadRegistryStatus,
    ReadVersion,
    RefreshRegistry,
)
from llmring_core.transactions import Begin
from llmring_core.usage import (
    ExportUsage,
    ListUsage,
    LogBatch,
    LogUsage,
    RepriceUsage,
    SummariseUsage,
    UsageWork,
)


def grouped_intake(settings: Settings, begin: Begin[UsageWork]) -> GroupCommit:
    """Return the way into the ledger that suits the database."""
    if settings.is_sqlite:
        return GroupCommit(in_one_transaction(begin))
    connect = partial(connect_postgres, settings.database_url, settings.database_schema)
    writer = PostgresWriter(connect)
    return GroupCommit(writer, close=writer.close)


class Container(containers.DeclarativeContainer):
    """Singletons and Objects are infrastructure; every Factory is a use case."""

    settings = providers.Dependency(instance_of=Settings)
    clock = providers.Object(utc_now)
    new_id = providers.Object(time_ordered_id)
    new_secret = providers.Object(random_secret)
    engine = providers.Singleton(
        open_engine,
        url=settings.provided.database_url,
        schema=settings.provided.database_schema,
        pool_size=settings.provided.database_pool_size,
        max_overflow=settings.provided.database_pool_overflow,
    )
    begin = providers.Singleton(sql_transactions, engine)
    read = providers.Singleton(sql_reads, engine)
    find_key = providers.Singleton(cached_keys, read)
    bundled = providers.Singleton(bundled_snapshot)
    registry = providers.Singleton(LiveRegistry, bundled)
    registry_client = providers.Singleton(registry_client)
    registry_source = providers.Singleton(
        WebRegistrySource, client=registry_client, base_url=settings.provided.registry_base_url
    )

    authenticate = providers.Factory(
        Authenticate,
        begin=begin,
        find_key=find_key,
        clock=clock,
        new_id=new_id,
        welcome_strangers=settings.provided.is_open,
    )
    create_api_key = providers.Factory(
        CreateApiKey, begin=begin, clock=clock, new_id=new_id, new_secret=new_secret
    )
    rotate_api_key = providers.Factory(
        RotateApiKey, begin=begin, clock=clock, new_id=new_id, new_secret=new_secret
    )
    revoke_api_key = providers.Factory(RevokeApiKey, begin=begin, clock=clock)
    find_project = providers.Factory(FindProject, begin=read)
    list_api_keys = providers.Factory(ListApiKeys, begin=read)

    load_registry = providers.Factory(LoadRegistry, begin=begin, registry=registry, bundled=bundled)
    refresh_registry = providers.Factory(
        RefreshRegistry, begin=begin, registry=registry, source=registry_source, clock=clock
    )
    read_registry = providers.Factory(ReadRegistry, begin=read, registry=registry)
    read_version = providers.Factory(ReadVersion, begin=read, registry=registry)
    read_provider_file = providers.Factory(ReadProviderFile, registry=registry)
    read_registry_status = providers.Factory(ReadRegistryStatus, registry=registry)

    intake = providers.Singleton(grouped_intake, settings, begin)
    log_usage = providers.Factory(
        LogUsage, begin=begin, intake=intake, registry=registry, clock=clock, new_id=new_id
    )
    log_batch = providers.Factory(
        LogBatch,
        begin=begin,
        read=read,
        intake=intake,
        registry=registry,
        clock=clock,
        new_id=new_id,
    )
    reprice_usage = providers.Factory(
        RepriceUsage, read=read, intake=intake, registry=registry, clock=clock, new_id=new_id
    )
    list_usage = providers.Factory(ListUsage, begin=read)
    export_usage = providers.Factory(ExportUsage, begin=read)
    summarise_usage = providers.Factory(SummariseUsage, begin=read)


def use_cases(container: containers.Container) -> Mapping[str, Callable[[], Any]]:
    """Return the container's use cases by name, ready for a driving adapter."""
    found = container.providers.items()
    return {name: build for name, build in found if isinstance(build, providers.Factory)}
