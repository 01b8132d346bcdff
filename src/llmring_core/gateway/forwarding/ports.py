"""What forwarding needs from the outside."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from msgspec import Struct

from llmring_core.gateway.dialects import TokenCounter
from llmring_core.gateway.forwarding.providers import Provider
from llmring_core.ids import ProjectId
from llmring_core.usage import Tokens, UsageSource

Body = bytes | AsyncIterator[bytes]


class Asked(Struct, frozen=True, kw_only=True):
    """What a meter may want to know of a call."""

    provider: str
    method: str
    endpoint: str
    model: str | None
    body: bytes | None  # of the call; None: it is no JSON
    status: int
    media_type: str  # of the answer, in lower case, without parameters


class Metered(Struct, frozen=True, kw_only=True):
    """What an answer says it consumed."""

    tokens: Tokens = Tokens()
    source: UsageSource = "missing"
    whole: bool = True  # unless its dialect ends answers with a marker, and that did not come
    final: bool = True  # unless the answer should have told more, which can be estimated
    besides: dict[str, int] = {}  # counts that are in ``tokens`` already, or none of it
    failed: bool = False  # the answer tells of an error instead, whatever its status


class Meter(Protocol):
    """Reads along with one answer, and changes nothing of it."""

    def feed(self, piece: bytes) -> bool:
        """Take the next bytes; return whether they end the answer, as its dialect has it."""

    def result(self) -> Metered:
        """Return what is known so far."""

    def estimated(self, by: TokenCounter) -> Metered:
        """Return it with what is missing counted. Computes for long: not on an event loop."""


class Meters(Protocol):
    """Finds the meter for an answer."""

    def __call__(self, asked: Asked, /) -> Meter: ...


class ResolveModel(Protocol):
    """Knows what a project means by the name of a model."""

    async def __call__(self, project: ProjectId, model: str, /) -> str:
        """Return the model to be asked for; ``model`` itself when that is meant.

        Raises: StoreUnavailable.
        """


class UpstreamRequest(Struct, frozen=True, kw_only=True):
    """What a provider is sent. Its address is made of the provider's own configuration."""

    provider: Provider
    method: str
    target: str  # path and query, encoded
    headers: Sequence[tuple[bytes, bytes]]
    body: Body
    length: int | None  # bytes of the body, where it was announced


class UpstreamAnswer(Protocol):
    """A provider's answer whose head has come."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Return them as they came, names in lower case."""

    async def read(self) -> bytes:
        """Return what has come of the body, at once; empty at its end.

        Raises: UpstreamBroken, UpstreamTimeout.
        """

    def close(self) -> None:
        """Let go of it: nothing more is read, and no socket stays open for it."""


class Upstream(Protocol):
    """Asks providers. Follows no redirect, decodes nothing, keeps no cookie."""

    async def ask(self, request: UpstreamRequest) -> UpstreamAnswer:
        """Return the answer once its head has come.

        Raises: UpstreamUnreachable, UpstreamBroken, UpstreamRedirects, UpstreamTimeout,
        UpstreamBusy. Cancelling it leaves no connection behind.
        """


class Breaker(Protocol):
    """Keeps calls away from a provider that fails, for each project by itself."""

    def enter(self, project: ProjectId, provider: str) -> None:
        """Raises CircuitOpen. Every call let in is reported once, by ``leave``."""

    def leave(self, project: ProjectId, provider: str, works: bool | None) -> None:
        """Say whether the provider works; None when the call did not tell."""
