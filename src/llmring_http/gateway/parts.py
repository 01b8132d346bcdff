"""What the gateway is made of."""

from dataclasses import dataclass

from llmring_core.clock import Clock
from llmring_core.gateway import ChargeRequest, OpenProviderKey, RecogniseToken
from llmring_core.gateway.attempting import Attempts
from llmring_core.gateway.auditing import RecordRefusal
from llmring_core.gateway.caching import CacheMeasures, CachePolicy, FindAnswer, Flights, KeepAnswer
from llmring_core.gateway.forwarding import Providers, ResolveModel, Upstream
from llmring_core.gateway.hits import RecordHit
from llmring_http.gateway.telling import Telling


@dataclass(frozen=True, slots=True, kw_only=True)
class Caching:
    """What answers calls in place of their provider."""

    find: FindAnswer
    keep: KeepAnswer
    record: RecordHit
    flights: Flights
    measures: CacheMeasures
    policy: CachePolicy
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """Use cases and ports of the gateway, and its bounds."""

    providers: Providers
    recognise: RecogniseToken
    resolve: ResolveModel
    open_key: OpenProviderKey
    charge: ChargeRequest
    attempts: Attempts
    upstream: Upstream
    caching: Caching | None  # None: every call goes to its provider
    telling: Telling
    record_refusal: RecordRefusal
    max_body_bytes: int
    max_in_flight: int  # calls
    drain_s: float  # for the rest of an answer whose caller is gone
    drain_bytes: int  # of it
    send_s: float  # for a caller to take what was sent
