"""When a call came, and when its provider was asked and answered, told in headers."""

from datetime import UTC, datetime
from functools import lru_cache

NANOS = 10**9  # in a second

Pair = tuple[bytes, bytes]


def stamps(received_ns: int, asked_ns: int, answered_ns: int) -> list[Pair]:
    """Return the headers; all three are nanoseconds since 1970.

    The last two of the first three are the same: when the provider's head came.
    """
    answered = _rfc3339(answered_ns)
    return [
        (b"x-proxy-received-at", _rfc3339(received_ns)),
        (b"x-proxy-first-response-at", answered),
        (b"x-proxy-final-response-at", answered),
        (b"x-upstream-request-start", b"%d" % asked_ns),
        (b"x-upstream-request-stop", b"%d" % answered_ns),
    ]


def _rfc3339(at_ns: int) -> bytes:
    seconds, nanos = divmod(at_ns, NANOS)
    return b"%s.%09dZ" % (_second(seconds), nanos)


@lru_cache(8)  # most calls are of the same second
def _second(seconds: int) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
