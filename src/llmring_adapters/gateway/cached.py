"""Finding tokens and provider keys without asking the database for every call."""

from collections.abc import Callable, Sequence
from time import monotonic

from llmring_adapters.remembering import remembered
from llmring_core.gateway import Access, FindAccess, FindKeys, GatewayWork, SealedKey
from llmring_core.ids import ProjectId
from llmring_core.transactions import Begin


def stored_access(begin: Begin[GatewayWork]) -> FindAccess:
    """Find tokens in the store, each time anew."""

    async def find(digest: str) -> Access | None:
        async with begin() as work:
            return await work.tokens.access(digest)

    return find


def cached_access(
    begin: Begin[GatewayWork], ttl_s: float = 1.0, time_s: Callable[[], float] = monotonic
) -> FindAccess:
    """Find tokens, remembering each for ``ttl_s`` seconds: so long a revoked one may work on."""
    return remembered(stored_access(begin), ttl_s, time_s)


def cached_provider_keys(
    begin: Begin[GatewayWork], ttl_s: float = 1.0, time_s: Callable[[], float] = monotonic
) -> FindKeys:
    """Find provider keys, remembering a project's for ``ttl_s`` seconds, and only sealed."""

    async def find(project: ProjectId) -> Sequence[SealedKey] | None:
        async with begin() as work:
            return await work.gateway.keys(project) or None

    ask = remembered(find, ttl_s, time_s)

    async def find_keys(project: ProjectId) -> Sequence[SealedKey]:
        return await ask(project) or []

    return find_keys
