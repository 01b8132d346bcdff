"""A request that names itself, and the answer it got the first time."""

from datetime import datetime, timedelta
from typing import Generic, TypeVar

from msgspec import Struct

from llmring_core.ids import ProjectId

KEY_LIFETIME = timedelta(hours=24)  # of an Idempotency-Key; afterwards it may be used anew

Value = TypeVar("Value")

AnswerName = tuple[ProjectId, str, str]  # project, scope, key


class Attempt(Struct, frozen=True, kw_only=True):
    """One try at a request. Two tries are the same request when scope and key are equal."""

    scope: str  # what the key names: a method and route, or a member of a record
    key: str  # 1 to 255 characters, chosen by the caller
    fingerprint: str  # SHA-256 of what was asked, 64 hex digits


class Answer(Struct, frozen=True, kw_only=True):
    """What a project's first try was answered."""

    project: ProjectId
    attempt: Attempt
    body: str  # JSON
    expires_at: datetime | None  # UTC; None: kept as long as the record it belongs to

    @property
    def name(self) -> AnswerName:
        return self.project, self.attempt.scope, self.attempt.key


class Outcome(Struct, Generic[Value], frozen=True, kw_only=True):
    """What a request came to, and whether that was long before this try."""

    value: Value
    replayed: bool
