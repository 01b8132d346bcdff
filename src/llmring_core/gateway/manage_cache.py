"""What operators do with the cache of answers."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from llmring_core.gateway.auditing import MAX_LINE, Deed, Origin, RecordAlone
from llmring_core.gateway.caching import PurgeCache, PurgeWanted


@dataclass(frozen=True, slots=True)
class PurgeAnswers:
    """Forget stored answers, as a manager asks, and write it down.

    The cache has no part in transactions, so it is written down afterwards: where that fails, the
    answers are gone, the manager hears of it, and to do it again harms nothing.
    """

    purge: PurgeCache
    record: RecordAlone

    async def __call__(self, wanted: PurgeWanted, origin: Origin) -> int:
        """Return how many answers are gone. Raises StoreUnavailable and what PurgeCache does."""
        count = await self.purge(wanted)
        details = _account(wanted) | {"deleted": count}
        deed = Deed(action="cache.purge", project=wanted.project, details=details)
        await self.record(deed, origin)
        return count


def _account(wanted: PurgeWanted) -> dict[str, object]:
    """Return what the audit log says of a purge; what follows a URL's path may be a secret."""
    if wanted.prefix:
        return {"purge_type": "prefix", "prefix": wanted.prefix[:MAX_LINE]}
    path = urlsplit(wanted.url).path[:MAX_LINE]
    return {"purge_type": "exact", "method": wanted.method, "url": path}
