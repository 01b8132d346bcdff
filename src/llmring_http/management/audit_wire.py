"""The JSON of the audit log, as clients of such gateways read it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Self

from msgspec import UNSET, Meta, Struct, UnsetType

from llmring_core.errors import InvalidField
from llmring_core.gateway.auditing import (
    MAX_PAGE,
    MAX_SEARCH,
    PAGE_SIZE,
    PAGE_SIZE_MAX,
    AuditEvent,
    AuditPage,
    AuditSelection,
    PageNumber,
)
from llmring_core.ids import ProjectId
from llmring_core.text import check_text

Instant = Annotated[datetime, Meta(tz=True)]  # RFC 3339
FILTERS = (
    "action",
    "actor",
    "client_ip",
    "correlation_id",
    "method",
    "outcome",
    "path",
    "project_id",
    "request_id",
    "search",
)


class AuditQuery(Struct, frozen=True, kw_only=True):
    """Which events are meant: those for which all that is given holds."""

    action: str | None = None
    actor: str | None = None
    client_ip: str | None = None
    correlation_id: str | None = None
    method: str | None = None
    outcome: str | None = None
    path: str | None = None
    project_id: str | None = None
    request_id: str | None = None
    search: str | None = None  # somewhere in an event, in capitals or not
    start_time: Instant | None = None
    end_time: Instant | None = None  # events at this instant are not meant
    page: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 1
    page_size: Annotated[int, Meta(ge=1)] = PAGE_SIZE  # at most 100; more are taken for 100

    def selection(self) -> AuditSelection:
        """Raises InvalidField."""
        for name in FILTERS:
            check_text(name, getattr(self, name), MAX_SEARCH)
        return AuditSelection(
            action=self.action,
            actor=self.actor,
            client_ip=self.client_ip,
            correlation_id=self.correlation_id,
            method=self.method,
            outcome=self.outcome,
            path=self.path,
            project=None if self.project_id is None else ProjectId(self.project_id),
            request_id=self.request_id,
            search=self.search,
            since=_utc("start_time", self.start_time),
            until=_utc("end_time", self.end_time),
        )

    def number(self) -> PageNumber:
        return PageNumber(page=self.page, size=min(self.page_size, PAGE_SIZE_MAX))


class AuditEventBody(Struct, frozen=True, kw_only=True):
    """An event. What is not known of it is left out."""

    id: str
    timestamp: datetime
    action: str
    actor: str
    project_id: str | UnsetType
    request_id: str | UnsetType
    correlation_id: str | UnsetType
    client_ip: str | UnsetType
    method: str | UnsetType
    path: str | UnsetType
    user_agent: str | UnsetType
    outcome: str
    reason: str | UnsetType
    token_id: str | UnsetType
    metadata: str | UnsetType  # JSON, as a text

    @classmethod
    def of(cls, event: AuditEvent) -> Self:
        return cls(
            id=event.id,
            timestamp=event.happened_at,
            action=event.action,
            actor=event.actor,
            project_id=event.project or UNSET,
            request_id=event.request_id or UNSET,
            correlation_id=event.correlation_id or UNSET,
            client_ip=event.client_ip or UNSET,
            method=event.method or UNSET,
            path=event.path or UNSET,
            user_agent=event.user_agent or UNSET,
            outcome=event.outcome,
            reason=event.reason or UNSET,
            token_id=event.token or UNSET,
            metadata=event.metadata or UNSET,
        )


class Pagination(Struct, frozen=True, kw_only=True):
    """Which page this is."""

    page: int
    page_size: int
    total_count: int
    total_pages: int
    has_next: bool
    has_prev: bool


class AuditPageBody(Struct, frozen=True, kw_only=True):
    """A page of events, newest first; null when there are none, as clients know it."""

    events: Sequence[AuditEventBody] | None
    pagination: Pagination

    @classmethod
    def of(cls, found: AuditPage, number: PageNumber) -> Self:
        pages = -(-found.total // number.size)
        return cls(
            events=[AuditEventBody.of(event) for event in found.events] or None,
            pagination=Pagination(
                page=number.page,
                page_size=number.size,
                total_count=found.total,
                total_pages=pages,
                has_next=number.page < pages,
                has_prev=number.page > 1,
            ),
        )


def _utc(field: str, at: datetime | None) -> datetime | None:
    try:
        return None if at is None else at.astimezone(UTC)
    except OverflowError:
        raise InvalidField(field, "must lie between the years 1 and 9999 of UTC") from None
