"""The audit log in a dictionary, and how many denials it takes."""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from llmring_adapters.journal import Journal, JournaledDict
from llmring_core.gateway.auditing import (
    EXACT,
    PROXY_REQUEST,
    SEARCHED,
    Action,
    AuditBook,
    AuditEvent,
    AuditPage,
    AuditSelection,
    DenialBound,
    PageNumber,
    folded,
)
from llmring_core.ids import AuditEventId

MOST_DENIALS: Final = 30  # of each kind in each window
WINDOW: Final = timedelta(minutes=1)


class MemoryAuditBook(AuditBook):
    def __init__(self, journal: Journal) -> None:
        self._events = JournaledDict[AuditEventId, AuditEvent](journal)

    async def append(self, event: AuditEvent) -> None:
        self._events[event.id] = event

    async def find(self, id: AuditEventId) -> AuditEvent | None:
        return self._events.get(id)

    async def page(self, wanted: AuditSelection, number: PageNumber) -> AuditPage:
        found = [event for event in self._events.values() if _is_meant(event, wanted)]
        found.sort(key=lambda event: (event.happened_at, event.id), reverse=True)
        first = (number.page - 1) * number.size
        return AuditPage(events=tuple(found[first : first + number.size]), total=len(found))


class _Window(Struct):
    began_at: datetime
    count: int


class MemoryDenialBound(DenialBound):
    """The bound of this process. Calls to be forwarded have one of their own: a flood of them
    hides nobody who tries to manage.
    """

    def __init__(self, most: int = MOST_DENIALS) -> None:
        self._most = most
        self._windows: dict[bool, _Window] = {}
        self._left_out = 0

    def admits(self, action: Action, at: datetime) -> bool:
        kind = action == PROXY_REQUEST
        window = self._windows.get(kind)
        if window is None or not window.began_at <= at < window.began_at + WINDOW:
            window = self._windows[kind] = _Window(began_at=at, count=0)
        if window.count >= self._most:
            self.leave_out(1)
            return False
        window.count += 1
        return True

    def leave_out(self, count: int) -> None:
        self._left_out += count

    def left_out(self) -> int:
        count, self._left_out = self._left_out, 0
        return count


def _is_meant(event: AuditEvent, wanted: AuditSelection) -> bool:
    texts = [getattr(event, name) or "" for name in SEARCHED]
    return (
        all(getattr(wanted, name) in (None, getattr(event, name)) for name in EXACT)
        and (wanted.since is None or event.happened_at >= wanted.since)
        and (wanted.until is None or event.happened_at < wanted.until)
        and any(folded(wanted.search or "") in folded(text) for text in texts)
    )
