"""The gateway's part of the composition root."""

from dependency_injector import providers

from llmring_adapters.gateway.audit_memory import MemoryDenialBound
from llmring_adapters.gateway.cache_flights import SharedFlights
from llmring_adapters.gateway.cached import cached_access, cached_provider_keys
from llmring_adapters.gateway.certifier import BufferedCertifier
from llmring_adapters.gateway.forwarding_memory import SameModel
from llmring_adapters.gateway.tally import BufferedTally
from llmring_app.choices import (
    cache_policy_of,
    cache_redis_of,
    charges_of,
    event_bus_of,
    event_file_of,
    excerpt_limits_of,
    journal_of,
    response_cache_of,
)
from llmring_app.encryption_keys import vault_of
from llmring_app.foundation import Foundation
from llmring_app.receipts_container import ReceiptsContainer
from llmring_core.gateway import (
    ChangeProject,
    ChangeToken,
    ChargeRequest,
    CreateProject,
    CreateToken,
    DeleteProject,
    FindGatewayProject,
    FindToken,
    HoldBudget,
    LapseHolds,
    ListGatewayProjects,
    ListTokens,
    OpenProviderKey,
    RecogniseToken,
    ResealKeys,
    RevokeToken,
    RevokeTokens,
    SettleHold,
)
from llmring_core.gateway.auditing import (
    FindAuditEvent,
    ListAuditEvents,
    Record,
    RecordAlone,
    RecordLeftOut,
    RecordRefusal,
)
from llmring_core.gateway.caching import FindAnswer, KeepAnswer, PurgeCache
from llmring_core.gateway.certifying import CertifyCalls, CertifyMissed
from llmring_core.gateway.lost_attempts import CloseLostAttempts
from llmring_core.gateway.manage_cache import PurgeAnswers


class GatewayContainer(ReceiptsContainer):
    """Singletons are infrastructure; every Factory is a use case."""

    clock, new_id, new_secret = Foundation.clock, Foundation.new_id, Foundation.new_secret
    begin, read = Foundation.begin, Foundation.read

    vault = providers.Singleton(vault_of, Foundation.settings, new_secret)
    find_access = providers.Singleton(cached_access, read)
    resolve_model = providers.Singleton(SameModel)
    find_provider_keys = providers.Singleton(cached_provider_keys, read)
    tally = providers.Singleton(BufferedTally, begin)
    record = providers.Singleton(Record, clock=clock, new_id=new_id)
    record_alone = providers.Singleton(RecordAlone, begin=begin, record=record)
    denial_bound = providers.Singleton(MemoryDenialBound)
    charges = providers.Singleton(
        charges_of, Foundation.settings, begin, clock, Foundation.measures
    )

    journal = providers.Singleton(
        journal_of, Foundation.settings, begin, clock, Foundation.measures
    )
    certify_calls = providers.Factory(CertifyCalls, intake=ReceiptsContainer.receipt_intake)
    certifier = providers.Singleton(BufferedCertifier, certify_calls)
    certify_missed = providers.Factory(
        CertifyMissed, begin=read, certify=certify_calls, clock=clock
    )
    gateway_measures = Foundation.measures.provided.gateway
    events = providers.Singleton(event_bus_of, Foundation.settings)
    excerpt_limits = providers.Singleton(excerpt_limits_of, Foundation.settings)
    event_file = providers.Singleton(event_file_of, Foundation.settings)

    recognise_token = providers.Factory(RecogniseToken, find=find_access, clock=clock)
    charge_request = providers.Factory(ChargeRequest, intake=charges, tally=tally, clock=clock)
    open_provider_key = providers.Factory(
        OpenProviderKey, find_keys=find_provider_keys, vault=vault
    )
    cache_redis = providers.Singleton(cache_redis_of, Foundation.settings)
    response_cache = providers.Singleton(
        response_cache_of, Foundation.settings, cache_redis, clock, new_secret
    )
    cache_policy = providers.Singleton(cache_policy_of, Foundation.settings)
    cache_measures = Foundation.measures.provided.cache
    flights = providers.Singleton(SharedFlights)
    find_answer = providers.Factory(
        FindAnswer,
        cache=response_cache,
        measures=cache_measures,
        clock=clock,
        policy=cache_policy,
    )
    keep_answer = providers.Factory(
        KeepAnswer, cache=response_cache, measures=cache_measures, clock=clock
    )
    purge_cache = providers.Factory(PurgeCache, cache=response_cache)
    purge_answers = providers.Factory(PurgeAnswers, purge=purge_cache, record=record_alone)

    lapse_holds = providers.Factory(LapseHolds, begin=begin, clock=clock)
    hold_budget = providers.Factory(HoldBudget, begin=begin, lapse=lapse_holds, clock=clock)
    close_lost_attempts = providers.Factory(CloseLostAttempts, begin=begin, clock=clock)
    settle_hold = providers.Factory(SettleHold, begin=begin)

    record_refusal = providers.Factory(
        RecordRefusal, record=record_alone, bound=denial_bound, clock=clock
    )
    record_left_out = providers.Factory(RecordLeftOut, record=record_alone, bound=denial_bound)
    list_audit_events = providers.Factory(ListAuditEvents, begin=read, record=record_alone)
    find_audit_event = providers.Factory(FindAuditEvent, begin=read, record=record_alone)

    create_project = providers.Factory(
        CreateProject, begin=begin, vault=vault, record=record, clock=clock, new_id=new_id
    )
    change_project = providers.Factory(
        ChangeProject, begin=begin, vault=vault, record=record, clock=clock
    )
    delete_project = providers.Factory(DeleteProject, begin=begin, record=record, clock=clock)
    reseal_keys = providers.Factory(ResealKeys, begin=begin, vault=vault, record=record)
    find_gateway_project = providers.Factory(FindGatewayProject, begin=read, record=record_alone)
    list_gateway_projects = providers.Factory(ListGatewayProjects, begin=read, record=record_alone)

    create_token = providers.Factory(
        CreateToken,
        begin=begin,
        record=record,
        clock=clock,
        new_id=new_id,
        new_secret=new_secret,
    )
    change_token = providers.Factory(ChangeToken, begin=begin, record=record, clock=clock)
    revoke_token = providers.Factory(RevokeToken, begin=begin, record=record, clock=clock)
    revoke_tokens = providers.Factory(RevokeTokens, begin=begin, record=record, clock=clock)
    find_token = providers.Factory(FindToken, begin=read, record=record_alone)
    list_tokens = providers.Factory(ListTokens, begin=read, record=record_alone)
