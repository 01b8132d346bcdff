"""What caching needs from the outside."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from llmring_core.gateway.caching.answering import Standing
from llmring_core.gateway.caching.model import CacheKey, CacheStats, StoredAnswer
from llmring_core.gateway.caching.purging import Purge


class ResponseCache(Protocol):
    """Answers, for a while. It may forget any at any time, and never gives one that is not fresh.

    Reading and keeping never fail and never take long: what does not answer knows nothing.
    """

    async def get(self, key: CacheKey) -> StoredAnswer | None:
        """Return the answer kept under exactly this key, as it was put, while it is fresh."""

    async def put(self, key: CacheKey, answer: StoredAnswer) -> bool:
        """Keep ``answer`` in the place of any older one, until it expires; tell whether it is.

        One that is too large takes an older one's place by leaving it empty.
        """

    async def purge(self, purge: Purge) -> int:
        """Forget what ``purge`` covers, and return how many answers that were.

        What is being fetched meanwhile may still be kept afterwards. Raises CacheUnavailable.
        """

    def stats(self) -> CacheStats: ...


class Turn(Protocol):
    """One caller's part in fetching what others want as well."""

    @property
    def leads(self) -> bool:
        """Tell whether others wait for this caller to fetch, or did."""

    @property
    def answer(self) -> StoredAnswer | None:
        """Return what the one before has fetched; None: fetch for yourself."""

    def land(self, answer: StoredAnswer | None) -> None:
        """Give it to all who wait; None when it is nobody else's, and each is to fetch alone.

        Whoever leaves without having landed, hands over to the next who waits.
        """


class Flights(Protocol):
    """Lets one caller fetch what many want at the same moment."""

    def take(self, key: CacheKey) -> AbstractAsyncContextManager[Turn]:
        """Enter at once as the first, or when that one has landed, has failed, or takes too long.

        Cancelling it leaves nobody waiting.
        """


class CacheMeasures(Protocol):
    """Counts what became of calls, and answers kept."""

    def count(self, standing: Standing) -> None: ...
