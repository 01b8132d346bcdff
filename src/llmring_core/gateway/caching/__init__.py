"""The response cache: answers that are given again, each only within the project that got it."""

from llmring_core.gateway.caching.answering import (
    Standing,
    age_s,
    announced,
    is_fresh,
    replied,
    serves,
    standing_of,
)
from llmring_core.gateway.caching.capture import MAX_PIECES, Capture
from llmring_core.gateway.caching.errors import (
    BadPurgePrefix,
    BadPurgeUrl,
    CacheUnavailable,
    CachingDisabled,
    NothingNamed,
)
from llmring_core.gateway.caching.keys import account_of, address_of, canonical_query, key_of
from llmring_core.gateway.caching.model import (
    CacheableCall,
    CacheKey,
    CachePolicy,
    CacheStats,
    Pair,
    Reply,
    StoredAnswer,
)
from llmring_core.gateway.caching.ports import CacheMeasures, Flights, ResponseCache, Turn
from llmring_core.gateway.caching.purging import Purge, PurgeWanted, covers, purge_of
from llmring_core.gateway.caching.storing import (
    Verdict,
    is_framed,
    is_stream,
    judged,
    kept_headers,
    refused,
)
from llmring_core.gateway.caching.terms import MAX_PATH, Terms, terms_of
from llmring_core.gateway.caching.use_cases import (
    FindAnswer,
    KeepAnswer,
    Looked,
    PurgeCache,
    Received,
    capture_of,
)

__all__ = [
    "MAX_PATH",
    "MAX_PIECES",
    "BadPurgePrefix",
    "BadPurgeUrl",
    "CacheKey",
    "CacheMeasures",
    "CachePolicy",
    "CacheStats",
    "CacheUnavailable",
    "CacheableCall",
    "CachingDisabled",
    "Capture",
    "FindAnswer",
    "Flights",
    "KeepAnswer",
    "Looked",
    "NothingNamed",
    "Pair",
    "Purge",
    "PurgeCache",
    "PurgeWanted",
    "Received",
    "Reply",
    "ResponseCache",
    "Standing",
    "StoredAnswer",
    "Terms",
    "Turn",
    "Verdict",
    "account_of",
    "address_of",
    "age_s",
    "announced",
    "canonical_query",
    "capture_of",
    "covers",
    "is_framed",
    "is_fresh",
    "is_stream",
    "judged",
    "kept_headers",
    "key_of",
    "purge_of",
    "refused",
    "replied",
    "serves",
    "standing_of",
    "terms_of",
]
