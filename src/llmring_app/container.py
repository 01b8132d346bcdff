"""The composition root. It, its parts and ``choices`` alone name concrete adapters."""

from asyncio import Condition
from collections.abc import Callable, Mapping
from typing import Any

from dependency_injector import containers, providers

from llmring_adapters.accounts.cached import cached_keys
from llmring_adapters.gateway.forwarding_memory import MemoryBreaker
from llmring_adapters.registry.archive import KeptArchive
from llmring_adapters.registry.bundled import bundled_snapshot
from llmring_adapters.registry.live import LiveRegistry
from llmring_adapters.registry.web import WebRegistrySource, registry_client
from llmring_adapters.transparency.witness_web import witness_client
from llmring_app.choices import (
    board_of,
    counter_of,
    grouped_intake,
    redis_of,
    upstream_of,
    validity_of_a_check,
    witnesses_of,
)
from llmring_app.foundation import Foundation
from llmring_app.gateway_container import GatewayContainer
from llmring_app.log_keys import log_key
from llmring_core.accounts import (
    Authenticate,
    CreateApiKey,
    FindProject,
    ListApiKeys,
    RevokeApiKey,
    RotateApiKey,
)
from llmring_core.gateway.attempting import Attempts
from llmring_core.gateway.forwarding import RecordAttempt
from llmring_core.gateway.hits import RecordHit
from llmring_core.gateway.metering import meter_for
from llmring_core.receipts import (
    AdoptKey,
    AuditReceipts,
    CertifyLogs,
    CloseKey,
    ExportReceipts,
    FetchReceipt,
    FetchStatement,
    IssueReceipt,
    IssueStatement,
    ListCertified,
    ListKeys,
    ListReceipts,
    ListStatements,
    ListUncertified,
    PreviewReceipt,
    ProveReceipt,
    ProveStatement,
    ReadStated,
    SignHistoric,
    StoreReceipt,
    VerifyReceipt,
)
from llmring_core.registry import (
    KeepRegistryCurrent,
    LoadRegistry,
    ReadChangelog,
    ReadProviderEdition,
    ReadProviderFile,
    ReadRegistry,
    ReadRegistryStatus,
    ReadVersion,
    RefreshRegistry,
)
from llmring_core.transparency import (
    AskWitness,
    ContinueLog,
    ProveConsistency,
    ReadCheckpoint,
    ReadEntries,
    ReadLogKey,
    ReadTile,
)
from llmring_core.usage import (
    ExportUsage,
    ListUsage,
    LogBatch,
    LogUsage,
    RepriceUsage,
    SummariseUsage,
)


class Container(GatewayContainer):
    """Singletons and Objects are infrastructure; every Factory is a use case."""

    settings, measures = Foundation.settings, Foundation.measures
    clock, aside = Foundation.clock, Foundation.aside
    new_id, new_secret = Foundation.new_id, Foundation.new_secret
    begin, read, turn = Foundation.begin, Foundation.read, Foundation.turn

    find_key = providers.Singleton(cached_keys, read)
    bundled = providers.Singleton(bundled_snapshot)
    registry = providers.Singleton(LiveRegistry, bundled)
    valid_s = providers.Singleton(validity_of_a_check, settings)
    redis = providers.Singleton(redis_of, settings)
    check_board = providers.Singleton(board_of, settings, redis, valid_s)
    archive = providers.Singleton(KeptArchive, begin=read, registry=registry)
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
        RefreshRegistry,
        begin=begin,
        registry=registry,
        source=registry_source,
        clock=clock,
        aside=aside,
    )
    keep_registry_current = providers.Factory(
        KeepRegistryCurrent,
        refresh=refresh_registry,
        board=check_board,
        clock=clock,
        valid_s=valid_s,
    )
    read_registry = providers.Factory(ReadRegistry, registry=registry, archive=archive)
    read_version = providers.Factory(ReadVersion, archive=archive)
    read_changelog = providers.Factory(
        ReadChangelog, begin=read, registry=registry, archive=archive
    )
    read_provider_file = providers.Factory(ReadProviderFile, registry=registry)
    read_provider_edition = providers.Factory(ReadProviderEdition, begin=read, archive=archive)
    read_registry_status = providers.Factory(ReadRegistryStatus, registry=registry)

    receipt_signer = GatewayContainer.receipt_signer
    receipt_intake = GatewayContainer.receipt_intake
    adopt_key = providers.Factory(AdoptKey, begin=begin, signer=receipt_signer, clock=clock)
    issue_receipt = providers.Factory(
        IssueReceipt,
        begin=read,
        intake=receipt_intake,
        registry=registry,
        clock=clock,
        new_id=new_id,
    )
    store_receipt = providers.Factory(
        StoreReceipt, begin=begin, clock=clock, new_id=new_id, new_secret=new_secret
    )
    verify_receipt = providers.Factory(VerifyReceipt, begin=read, aside=aside)
    fetch_receipt = providers.Factory(FetchReceipt, begin=read)
    list_receipts = providers.Factory(ListReceipts, begin=read)
    export_receipts = providers.Factory(ExportReceipts, begin=read)
    issue_statement = providers.Factory(
        IssueStatement,
        begin=begin,
        signer=receipt_signer,
        clock=clock,
        new_id=new_id,
        new_secret=new_secret,
    )
    sign_historic = providers.Factory(
        SignHistoric,
        begin=read,
        signer=receipt_signer,
        registry=registry,
        clock=clock,
        new_secret=new_secret,
    )
    certify_logs = providers.Factory(
        CertifyLogs,
        begin=begin,
        signer=receipt_signer,
        clock=clock,
        new_id=new_id,
        new_secret=new_secret,
    )
    fetch_statement = providers.Factory(FetchStatement, begin=read)
    list_statements = providers.Factory(ListStatements, begin=read)
    read_stated = providers.Factory(ReadStated, begin=read)
    preview_receipt = providers.Factory(PreviewReceipt, begin=read)
    list_uncertified = providers.Factory(ListUncertified, begin=read)
    list_certified = providers.Factory(ListCertified, begin=read)
    close_receipt_key = providers.Factory(CloseKey, begin=begin, clock=clock)
    audit_receipts = providers.Factory(AuditReceipts, begin=read)
    list_receipt_keys = providers.Factory(ListKeys, begin=read)
    witness_client = providers.Singleton(witness_client)
    witnesses = providers.Singleton(witnesses_of, settings, witness_client)
    log_signer = providers.Singleton(log_key, settings, new_secret)
    grown = providers.Singleton(Condition)  # notified when this process continued the log
    continue_log = providers.Factory(ContinueLog, begin=begin, read=read, signer=log_signer)
    read_log_key = providers.Factory(ReadLogKey, signer=log_signer)
    read_checkpoint = providers.Factory(ReadCheckpoint, begin=read)
    read_tile = providers.Factory(ReadTile, begin=read)
    read_entries = providers.Factory(ReadEntries, begin=read)
    prove_consistency = providers.Factory(ProveConsistency, begin=read)
    ask_witness = providers.Factory(AskWitness, begin=begin, read=read, prove=prove_consistency)
    prove_receipt = providers.Factory(ProveReceipt, begin=read)
    prove_statement = providers.Factory(ProveStatement, begin=read)

    intake = providers.Singleton(grouped_intake, settings, begin, turn, measures)
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

    breaker = providers.Singleton(MemoryBreaker)
    meters = providers.Object(meter_for)
    counter = providers.Singleton(counter_of)
    upstream = providers.Singleton(upstream_of, settings.provided.gateway_max_calls)
    record_attempt = providers.Factory(
        RecordAttempt, intake=intake, registry=registry, clock=clock, new_id=new_id
    )
    record_hit = providers.Factory(
        RecordHit,
        intake=intake,
        tally=GatewayContainer.tally,
        registry=registry,
        clock=clock,
        new_id=new_id,
    )
    attempts = providers.Singleton(
        Attempts,
        breaker=breaker,
        registry=registry,
        hold=GatewayContainer.hold_budget,
        settle=GatewayContainer.settle_hold,
        journal=GatewayContainer.journal,
        meters=meters,
        counter=counter,
        aside=aside,
        record=record_attempt,
        certifier=GatewayContainer.certifier,
        clock=clock,
        new_id=new_id,
    )


def use_cases(container: containers.Container) -> Mapping[str, Callable[[], Any]]:
    """Return the container's use cases by name, ready for a driving adapter."""
    found = container.providers.items()
    return {name: build for name, build in found if isinstance(build, providers.Factory)}
