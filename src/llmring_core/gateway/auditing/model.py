"""What is kept of who did what. The words are those that clients of such gateways know."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from llmring_core.ids import AuditEventId, ProjectId, TokenId

Action: TypeAlias = Literal[
    "project.create",
    "project.read",
    "project.update",
    "project.delete",
    "project.list",
    "token.create",
    "token.read",
    "token.update",
    "token.revoke",
    "token.revoke_batch",
    "token.list",
    "cache.purge",
    "audit.list",
    "audit.show",
    "audit.left_out",
    "encryption_key.rotate",
    "proxy_request",
]
Outcome: TypeAlias = Literal["success", "failure", "denied", "error"]
Actor: TypeAlias = Literal["management_api", "anonymous", "admin", "system"]

PROXY_REQUEST: Final = "proxy_request"  # what a call to be forwarded is called
PAGE_SIZE: Final = 20  # events
PAGE_SIZE_MAX: Final = 100  # events
MAX_LINE: Final = 256  # characters of a text that is kept
MAX_PAGE: Final = 1_000_000
MAX_SEARCH: Final = 256  # characters, of any filter
EXACT: Final = (  # what a filter of the same name is compared with
    "action",
    "actor",
    "outcome",
    "project",
    "request_id",
    "correlation_id",
    "client_ip",
    "method",
    "path",
)
SEARCHED: Final = (  # what a search looks through
    "action",
    "actor",
    "reason",
    "request_id",
    "correlation_id",
    "client_ip",
    "method",
    "path",
    "metadata",
)


class Origin(Struct, frozen=True, kw_only=True):
    """Where a deed comes from, as far as is known. Callers write much of it: it may be anything."""

    actor: Actor
    request_id: str | None = None
    correlation_id: str | None = None
    client_ip: str | None = None  # of the peer; what it says of others is not believed
    method: str | None = None
    path: str | None = None
    user_agent: str | None = None


class Deed(Struct, frozen=True, kw_only=True):
    """What was done, or asked for in vain. No secret goes into the details."""

    action: Action
    outcome: Outcome = "success"
    reason: str | None = None
    project: ProjectId | None = None
    token: TokenId | None = None
    details: Mapping[str, object] = {}  # values that JSON has


class AuditEvent(Struct, frozen=True, kw_only=True):
    """One line of the audit log. No secret is in it."""

    id: AuditEventId
    happened_at: datetime  # UTC
    action: Action
    actor: Actor
    outcome: Outcome
    reason: str | None
    project: ProjectId | None
    token: TokenId | None
    request_id: str | None
    correlation_id: str | None
    client_ip: str | None
    method: str | None
    path: str | None
    user_agent: str | None
    metadata: str | None  # a JSON object


class AuditSelection(Struct, frozen=True, kw_only=True):
    """Which events are meant: those for which all of it holds."""

    action: str | None = None
    actor: str | None = None
    outcome: str | None = None
    project: ProjectId | None = None
    request_id: str | None = None
    correlation_id: str | None = None
    client_ip: str | None = None
    method: str | None = None
    path: str | None = None
    search: str | None = None  # somewhere in an event, in capitals or not
    since: datetime | None = None  # UTC
    until: datetime | None = None  # UTC; events at this instant are not meant


class PageNumber(Struct, frozen=True, kw_only=True):
    """Which page of how many events."""

    page: int = 1
    size: int = PAGE_SIZE


class AuditPage(Struct, frozen=True, kw_only=True):
    """Some events, newest first."""

    events: tuple[AuditEvent, ...]
    total: int  # on all pages
