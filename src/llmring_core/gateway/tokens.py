"""Withering tokens: what they look like, how they are stored, what of them may be shown."""

import re
from base64 import urlsafe_b64encode
from datetime import datetime
from hashlib import sha256
from typing import Final

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from llmring_core.gateway.errors import Unacceptable
from llmring_core.gateway.limits import Budget, Limits, LimitsChange, check_count
from llmring_core.ids import ProjectId, TokenId

PREFIX: Final = "sk-"
MAX_MINUTES: Final = 365 * 24 * 60
FORM: Final = re.compile(r"sk-[A-Za-z0-9_-]{22}(?:[A-Za-z0-9_-]{21})?")  # earlier ones: 16 bytes
_SHOWN: Final = 4  # characters at either end
_HIDDEN: Final = "*" * 14  # always as many, however long the token


class Token(Struct, frozen=True, kw_only=True):
    """What we keep of a token: its digest, never the token."""

    id: TokenId
    project: ProjectId
    digest: str  # SHA-256, 64 hex digits
    shown: str  # "sk-Ab3x**************9Zq_"
    created_at: datetime  # UTC
    expires_at: datetime  # UTC
    is_active: bool
    deactivated_at: datetime | None  # UTC
    max_requests: int | None  # in all its life
    max_per_minute: int | None
    request_count: int
    cache_hit_count: int
    last_used_at: datetime | None  # UTC


class ManagedToken(Struct, frozen=True, kw_only=True):
    """A token, and its budget when it has one."""

    token: Token
    budget: Budget | None


class IssuedToken(Struct, frozen=True, kw_only=True):
    """A token just made. ``secret`` is known here and nowhere else: show it once."""

    token: Token
    secret: str


class TokenToCreate(Struct, frozen=True, kw_only=True):
    """A token wanted for a project. Raises Unacceptable, InvalidField."""

    project: ProjectId
    minutes: int
    max_requests: int | None = None  # 0 is none, too
    max_per_minute: int | None = None
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if self.minutes > MAX_MINUTES:
            raise Unacceptable("duration_minutes exceeds maximum allowed")
        if self.minutes <= 0:
            raise Unacceptable("project_id and duration_minutes are required")
        if not self.project:
            raise Unacceptable("project_id is required")
        _check_limits(self.max_requests, self.max_per_minute)


class TokenChange(Struct, frozen=True, kw_only=True):
    """What is to change of a token; what is unset stays. Raises Unacceptable, InvalidField."""

    is_active: bool | UnsetType = UNSET
    max_requests: int | UnsetType | None = UNSET
    max_per_minute: int | UnsetType | None = UNSET
    limits: LimitsChange = LimitsChange()

    def __post_init__(self) -> None:
        values = (self.is_active, self.max_requests, self.max_per_minute)
        if all(value is UNSET for value in values) and self.limits == LimitsChange():
            raise Unacceptable("no fields to update")
        _check_limits(self.max_requests, self.max_per_minute)


def changed(token: Token, change: TokenChange, at: datetime) -> Token:
    """Return ``token`` as ``change`` makes it at ``at`` (UTC)."""
    if change.is_active is not UNSET and change.is_active != token.is_active:
        closed_at = None if change.is_active else at
        token = replace(token, is_active=change.is_active, deactivated_at=closed_at)
    if change.max_requests is not UNSET:
        token = replace(token, max_requests=change.max_requests or None)
    if change.max_per_minute is not UNSET:
        token = replace(token, max_per_minute=change.max_per_minute or None)
    return token


def secret_of(secret: bytes) -> str:
    """Return the token that stands for 32 random bytes: ``sk-`` and base64url, no padding."""
    return PREFIX + urlsafe_b64encode(secret).rstrip(b"=").decode()


def digest_of(secret: str) -> str:
    """Return what a token is stored and found as: its SHA-256 in hex.

    A plain hash is enough: our tokens carry 256 random bits, nothing to guess.
    """
    return sha256(secret.encode()).hexdigest()


def shown(secret: str) -> str:
    """Return the form of a token that lists may print."""
    return f"{PREFIX}{secret[len(PREFIX) :][:_SHOWN]}{_HIDDEN}{secret[-_SHOWN:]}"


def _check_limits(
    max_requests: int | UnsetType | None, max_per_minute: int | UnsetType | None
) -> None:
    if isinstance(max_requests, int):
        if max_requests < 0:
            raise Unacceptable("max_requests must be >= 0")
        check_count("max_requests", max_requests)
    if isinstance(max_per_minute, int):
        check_count("max_per_minute", max_per_minute)
