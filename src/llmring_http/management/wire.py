"""The JSON of the management API. Members that other gateways have not are ours."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Self, TypeVar

from msgspec import UNSET, Struct, UnsetType, field

from llmring_core.gateway import (
    DEFAULT_PROVIDER,
    Budget,
    IssuedToken,
    Limits,
    LimitsChange,
    ManagedProject,
    ManagedToken,
    ProjectChange,
    ProjectToCreate,
    Revocation,
    TokenChange,
    TokenToCreate,
    Unacceptable,
)
from llmring_core.ids import ProjectId
from llmring_core.money import plain, usd_from_text

Value = TypeVar("Value")
Dollars = str | UnsetType | None  # "10.5"; null: no limit
Number = int | UnsetType | None


class CreateProjectBody(Struct, frozen=True, kw_only=True):
    """A project wanted. ``openai_api_key`` is an older name of ``api_key``."""

    name: str | None = None
    api_key: str | None = None  # of the default provider
    openai_api_key: str | None = None
    default_provider: str | None = None
    provider_keys: dict[str, str] | None = None  # of further providers
    fallbacks: tuple[str, ...] | None = None  # providers, in the order they are asked
    issues_receipts: bool | None = None
    max_usd: str | None = None
    max_tokens: int | None = None

    def command(self) -> ProjectToCreate:
        """Raises Unacceptable, InvalidField."""
        provider = self.default_provider or DEFAULT_PROVIDER
        key = _one_key(self.api_key, self.openai_api_key)
        own = {provider: key} if key else {}
        return ProjectToCreate(
            name=self.name or "",
            provider_keys=(self.provider_keys or {}) | own,
            default_provider=provider,
            fallbacks=self.fallbacks or (),
            issues_receipts=bool(self.issues_receipts),
            limits=_limits(self.max_usd, self.max_tokens),
        )


class ChangeProjectBody(Struct, frozen=True, kw_only=True):
    """What is to change of a project. Null, and an empty key, count as not given."""

    name: str | None = None
    api_key: str | None = None  # of the default provider
    openai_api_key: str | None = None
    is_active: bool | None = None
    revoke_tokens: bool | None = None
    default_provider: str | None = None
    provider_keys: dict[str, str] | None = None
    fallbacks: tuple[str, ...] | None = None  # [] is none
    issues_receipts: bool | None = None
    max_usd: Dollars = UNSET
    max_tokens: Number = UNSET

    def command(self) -> ProjectChange:
        """Raises Unacceptable, InvalidField."""
        return ProjectChange(
            name=_given(self.name),
            key=_one_key(self.api_key, self.openai_api_key) or UNSET,
            is_active=_given(self.is_active),
            revoke_tokens=bool(self.revoke_tokens),
            default_provider=_given(self.default_provider),
            fallbacks=_given(self.fallbacks),
            issues_receipts=_given(self.issues_receipts),
            provider_keys=self.provider_keys or {},
            limits=_limits_change(self.max_usd, self.max_tokens),
        )


class CreateTokenBody(Struct, frozen=True, kw_only=True):
    """A token wanted; 0 requests are as many as it likes."""

    project_id: str | None = None
    duration_minutes: int | None = None
    max_requests: int | None = None
    max_requests_per_minute: int | None = None
    max_usd: str | None = None
    max_tokens: int | None = None

    def command(self) -> TokenToCreate:
        """Raises Unacceptable, InvalidField."""
        return TokenToCreate(
            project=ProjectId(self.project_id or ""),
            minutes=self.duration_minutes or 0,
            max_requests=self.max_requests,
            max_per_minute=self.max_requests_per_minute,
            limits=_limits(self.max_usd, self.max_tokens),
        )


class ChangeTokenBody(Struct, frozen=True, kw_only=True):
    """What is to change of a token. Null counts as not given, except for budgets."""

    is_active: bool | None = None
    max_requests: int | None = None
    max_requests_per_minute: int | None = None
    max_usd: Dollars = UNSET
    max_tokens: Number = UNSET

    def command(self) -> TokenChange:
        """Raises Unacceptable, InvalidField."""
        return TokenChange(
            is_active=_given(self.is_active),
            max_requests=_given(self.max_requests),
            max_per_minute=_given(self.max_requests_per_minute),
            limits=_limits_change(self.max_usd, self.max_tokens),
        )


class TokenQuery(Struct, frozen=True, kw_only=True):
    """Which tokens are meant, in either spelling."""

    project: str | None = field(name="projectId", default=None)
    project_id: str | None = None
    active: bool | None = field(name="activeOnly", default=None)
    active_only: bool | None = None

    @property
    def of(self) -> ProjectId | None:
        """Raises Unacceptable."""
        found = {one for one in (self.project, self.project_id) if one is not None}
        if len(found) > 1:
            raise Unacceptable("projectId and project_id differ; send one")
        return ProjectId(found.pop()) if found else None

    @property
    def only_active(self) -> bool:
        return bool(self.active or self.active_only)


class BudgetBody(Struct, frozen=True, kw_only=True):
    """What may be used up, and what is. Dollars are decimal texts."""

    max_usd: str | None
    max_tokens: int | None
    spent_usd: str
    spent_tokens: int
    held_usd: str  # by calls under way
    held_tokens: int

    @classmethod
    def of(cls, budget: Budget) -> Self:
        most = budget.limits.max_usd
        return cls(
            max_usd=None if most is None else plain(most),
            max_tokens=budget.limits.max_tokens,
            spent_usd=plain(budget.spent_usd),
            spent_tokens=budget.spent_tokens,
            held_usd=plain(budget.held_usd),
            held_tokens=budget.held_tokens,
        )


class ProjectBody(Struct, frozen=True, kw_only=True):
    """A project. No key of a provider is ever shown whole."""

    id: str
    name: str
    api_key: str  # of the default provider, obfuscated; empty when there is none
    is_active: bool
    deactivated_at: datetime | UnsetType
    created_at: datetime
    updated_at: datetime
    default_provider: str
    provider_keys: Mapping[str, str]  # by provider, obfuscated
    fallbacks: Sequence[str]
    issues_receipts: bool
    budget: BudgetBody | UnsetType

    @classmethod
    def of(cls, managed: ManagedProject) -> Self:
        project = managed.project
        keys = {key.provider: key.shown for key in managed.keys}
        return cls(
            id=project.id,
            name=project.name,
            api_key=keys.get(project.default_provider, ""),
            is_active=project.is_active,
            deactivated_at=project.deactivated_at or UNSET,
            created_at=project.created_at,
            updated_at=project.updated_at,
            default_provider=project.default_provider,
            provider_keys=keys,
            fallbacks=project.fallbacks,
            issues_receipts=project.issues_receipts,
            budget=BudgetBody.of(managed.budget) if managed.budget else UNSET,
        )


class TokenBody(Struct, frozen=True, kw_only=True):
    """A token, obfuscated."""

    id: str
    token: str
    project_id: str
    expires_at: datetime
    is_active: bool
    request_count: int
    max_requests: int | None
    max_requests_per_minute: int | None
    created_at: datetime
    last_used_at: datetime | None
    cache_hit_count: int
    budget: BudgetBody | UnsetType

    @classmethod
    def of(cls, managed: ManagedToken) -> Self:
        token = managed.token
        return cls(
            id=token.id,
            token=token.shown,
            project_id=token.project,
            expires_at=token.expires_at,
            is_active=token.is_active,
            request_count=token.request_count,
            max_requests=token.max_requests,
            max_requests_per_minute=token.max_per_minute,
            created_at=token.created_at,
            last_used_at=token.last_used_at,
            cache_hit_count=token.cache_hit_count,
            budget=BudgetBody.of(managed.budget) if managed.budget else UNSET,
        )


class IssuedBody(Struct, frozen=True, kw_only=True):
    """A token just made: it is shown here and nowhere else."""

    id: str
    token: str
    expires_at: datetime
    max_requests: int | UnsetType

    @classmethod
    def of(cls, issued: IssuedToken) -> Self:
        return cls(
            id=issued.token.id,
            token=issued.secret,
            expires_at=issued.token.expires_at,
            max_requests=issued.token.max_requests or UNSET,
        )


class RevokedBody(Struct, frozen=True, kw_only=True):
    """What became of a project's tokens."""

    revoked_count: int
    already_revoked_count: int
    total_tokens: int

    @classmethod
    def of(cls, revocation: Revocation) -> Self:
        return cls(
            revoked_count=revocation.revoked,
            already_revoked_count=revocation.revoked_before,
            total_tokens=revocation.revoked + revocation.revoked_before,
        )


def _given(value: Value | None) -> Value | UnsetType:
    return UNSET if value is None else value


def _one_key(key: str | None, older: str | None) -> str | None:
    if key and older and key != older:
        raise Unacceptable("api_key and openai_api_key differ; send one")
    return key or older


def _limits(max_usd: str | None, max_tokens: int | None) -> Limits:
    usd = None if max_usd is None else usd_from_text("max_usd", max_usd)
    return Limits(max_usd=usd, max_tokens=max_tokens)


def _limits_change(max_usd: Dollars, max_tokens: Number) -> LimitsChange:
    usd = usd_from_text("max_usd", max_usd) if isinstance(max_usd, str) else max_usd
    return LimitsChange(max_usd=usd, max_tokens=max_tokens)
