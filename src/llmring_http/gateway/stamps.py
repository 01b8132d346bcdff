"""When a call came, and when its provider was asked and answered, told in headers."""

from datetime import UTC, datetime
from functools import lru_cache

NANOS = 10**9  # in a second

Pair = tuple[bytes, bytes]


def stamps(received_ns: int, answered_ns: int, asked_ns: int | None = None) -> list[Pair]:
    """Return the headers; all are nanoseconds since 1970, ``asked_ns`` if a provider was.

    The last two of the first three are the same: when the head of the answer was there.
    """
    answered = _rfc3339(answered_ns)
    times = [
        (b"x-proxy-received-at", _rfc3339(received_ns)),
        (b"x-proxy-first-response-at", answered),
        (b"x-proxy-final-response-at", answered),
    ]
    if asked_ns is not None:
        times.append((b"x-upstream-request-start", b"%d" % asked_ns))
        times.append((b"x-upstream-request-stop", b"%d" % answered_ns))
    return times


def _rfc3339(at_ns: int) -> bytes:
    seconds, nanos = divmod(at_ns, NANOS)
    return b"%s.%09dZ" % (_second(seconds), nanos)


@lru_cache(8)  # most calls are of the same second
def _second(seconds: int) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
