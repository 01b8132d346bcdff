"""Rule: when a provider that keeps failing is left alone, and how it is tried again."""

from math import ceil

from msgspec import Struct

from llmring_core.gateway.forwarding.errors import CircuitOpen

FAILURES = 5  # in a row
OPEN_S = 30.0
FAILING = frozenset({502, 503, 504})


class Circuit(Struct, frozen=True, kw_only=True):
    """What is known of one project's calls to one provider. Times are a monotonic clock's."""

    failures: int = 0  # in a row
    open_until_s: float | None = None
    probing: bool = False  # one call is finding out whether it works again


CLOSED = Circuit()


def entered(circuit: Circuit, now_s: float) -> Circuit:
    """Return the circuit with one more call under way. Raises CircuitOpen."""
    if circuit.open_until_s is None:
        return circuit
    left_s = circuit.open_until_s - now_s
    if left_s > 0 or circuit.probing:
        raise CircuitOpen(max(1, ceil(left_s)))
    return Circuit(failures=circuit.failures, open_until_s=circuit.open_until_s, probing=True)


def failed(circuit: Circuit, now_s: float) -> Circuit:
    """Return the circuit after a call that got 502, 503, 504, or nothing."""
    failures = circuit.failures + 1
    is_open = circuit.probing or failures >= FAILURES
    return Circuit(failures=failures, open_until_s=now_s + OPEN_S if is_open else None)


def left(circuit: Circuit) -> Circuit:
    """Return the circuit after a call that told nothing: its caller went away."""
    return Circuit(failures=circuit.failures, open_until_s=circuit.open_until_s)
