"""Rule: what an answer is kept under. All that a provider is sent is part of it.

So no header, parameter or byte of a body can be used to have one call's answer given to another.
Left out are only headers that say nothing about what is asked for.
"""

from collections.abc import Iterable
from hashlib import sha256

from llmring_core.gateway.caching.model import CacheableCall, CacheKey

NOT_KEYED = frozenset(
    b"user-agent x-request-id idempotency-key traceparent tracestate baggage content-length date "
    b"connection keep-alive te trailer transfer-encoding priority cache-control pragma "
    b"if-none-match if-modified-since".split()
)
NOT_KEYED_PREFIXES = (b"x-stainless-",)  # what published SDKs tell about themselves
ADDRESS_DIGITS = 32
ACCOUNT_DIGITS = 16


def key_of(call: CacheableCall) -> CacheKey:
    """Return the name of the call's answer."""
    query = canonical_query(call.query)
    body = () if call.body is None else (call.body,)
    headers = sorted(
        (pair for pair in call.headers if is_keyed(pair[0])), key=lambda pair: pair[0]
    )  # those of one name stay in their order
    digest = _digest(
        (
            call.project.encode(),
            call.provider.encode(),
            call.account.encode(),
            call.method.encode(),
            call.path.encode(),
            query,
            _digest(body),
            *(part for pair in headers for part in pair),
        )
    )
    return CacheKey(
        project=call.project,
        method=call.method,
        address=address_of(call.method, call.path, call.query),
        digest=digest.hex(),
        path=call.path,
    )


def address_of(method: str, path: str, query: bytes) -> str:
    """Return what all answers to one address have in common, whoever asked, in hex digits."""
    digest = _digest((method.encode(), path.encode(), canonical_query(query)))
    return digest.hex()[:ADDRESS_DIGITS]


def account_of(secret: str) -> str:
    """Return what a provider's key is told from others by; it does not lead back to the key."""
    return sha256(secret.encode()).hexdigest()[:ACCOUNT_DIGITS]


def canonical_query(query: bytes) -> bytes:
    """Return the parameters by name; those of one name in their order, and nothing decoded."""
    if b"&" not in query:
        return query
    parts: list[bytes] = sorted(query.split(b"&"), key=_name)
    return b"&".join(parts)


def is_keyed(name: bytes) -> bool:
    """Tell whether a header is part of the key; ``name`` in lower case."""
    return name not in NOT_KEYED and not name.startswith(NOT_KEYED_PREFIXES)


def _name(parameter: bytes) -> bytes:
    return parameter.partition(b"=")[0]


def _digest(parts: Iterable[bytes]) -> bytes:
    """Each part after its length, so that what ends one cannot begin the next."""
    digest = sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
