"""Finding API keys without asking the database for every request."""

from collections.abc import Callable
from time import monotonic

from llmring_adapters.remembering import remembered
from llmring_core.accounts import AccountsWork, ApiKey, FindApiKey
from llmring_core.transactions import Begin


def stored_keys(begin: Begin[AccountsWork]) -> FindApiKey:
    """Find keys in the account book, each time anew."""

    async def find(digest: str) -> ApiKey | None:
        async with begin() as work:
            return await work.accounts.key_with(digest)

    return find


def cached_keys(
    begin: Begin[AccountsWork], ttl_s: float = 1.0, time_s: Callable[[], float] = monotonic
) -> FindApiKey:
    """Find keys in the account book, remembering each for ``ttl_s`` seconds.

    So a revoked key is refused everywhere after at most that long.
    """
    return remembered(stored_keys(begin), ttl_s, time_s)
