"""Finding API keys without asking the database for every request."""

from collections.abc import Callable
from time import monotonic

from llmring_core.accounts import AccountsWork, ApiKey, FindApiKey
from llmring_core.transactions import Begin

MAX_ENTRIES = 10_000


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

    So a revoked key is refused everywhere after at most that long. Unknown keys are not
    remembered: a key made a moment ago works at once.
    """
    find_stored = stored_keys(begin)
    known: dict[str, tuple[ApiKey, float]] = {}  # digest -> key, good until

    async def find(digest: str) -> ApiKey | None:
        entry = known.get(digest)
        if entry is not None and time_s() < entry[1]:
            return entry[0]
        good_until = time_s() + ttl_s  # counted from before the read: never older than told
        key = await find_stored(digest)
        if key is None:
            known.pop(digest, None)
            return None
        if len(known) >= MAX_ENTRIES:
            known.clear()
        known[digest] = key, good_until
        return key

    return find
