"""Finding API keys without asking the database for every request."""

from asyncio import Task, create_task, shield
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
    remembered: a key made a moment ago works at once. Requests that want the same key at the same
    moment ask once.
    """
    find_stored = stored_keys(begin)
    known: dict[str, tuple[ApiKey, float]] = {}  # digest -> key, good until
    asking: dict[str, Task[ApiKey | None]] = {}  # digest -> what all who want it now wait for

    async def ask(digest: str) -> ApiKey | None:
        good_until = time_s() + ttl_s  # counted from before the read: never older than told
        try:
            key = await find_stored(digest)
        finally:
            del asking[digest]
        if key is None:
            known.pop(digest, None)
            return None
        if len(known) >= MAX_ENTRIES:
            known.clear()
        known[digest] = key, good_until
        return key

    async def find(digest: str) -> ApiKey | None:
        entry = known.get(digest)
        if entry is not None and time_s() < entry[1]:
            return entry[0]
        if digest not in asking:
            asking[digest] = create_task(ask(digest))
        return await shield(asking[digest])  # whoever leaves does not take the answer along

    return find
