"""What the gateway knows of a project besides that it exists."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from llmring_core.accounts import MAX_PROJECT_NAME
from llmring_core.errors import InvalidField
from llmring_core.gateway.errors import Unacceptable
from llmring_core.gateway.limits import Budget, Limits, LimitsChange
from llmring_core.ids import ProjectId
from llmring_core.text import check_name

DEFAULT_PROVIDER: Final = "openai"
MAX_PROVIDERS: Final = 32  # of one project
MAX_FALLBACKS: Final = 8
KEY: Final = re.compile(r"[!-~]{1,1024}")
PROVIDER: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
OBSCURED: Final = ("...", "****")  # in a key that was shown, and must not come back
_LONG: Final = 12  # characters; of a longer key more may be shown
_SHORT: Final = 4


class GatewayProject(Struct, frozen=True, kw_only=True):
    """A project with its gateway settings. The project itself is that of the accounts."""

    id: ProjectId
    name: str
    is_active: bool
    deactivated_at: datetime | None  # UTC
    default_provider: str
    fallbacks: tuple[str, ...] = ()  # providers to be asked one after the other
    issues_receipts: bool = False  # for every call of its that is metered
    created_at: datetime  # UTC
    updated_at: datetime  # UTC
    deleted_at: datetime | None  # UTC; its name and its history stay


class SealedKey(Struct, frozen=True, kw_only=True):
    """A provider's key as it is stored: readable to nobody without the encryption key."""

    provider: str
    key_id: str  # of the encryption key
    sealed: bytes
    shown: str  # "sk-proj-...9Zq_"


class ManagedProject(Struct, frozen=True, kw_only=True):
    """A project as operators see it."""

    project: GatewayProject
    keys: tuple[SealedKey, ...]  # by provider
    budget: Budget | None


class ProjectToCreate(Struct, frozen=True, kw_only=True):
    """A gateway project wanted. Raises Unacceptable, InvalidField."""

    name: str
    provider_keys: Mapping[str, str]  # in clear
    default_provider: str = DEFAULT_PROVIDER
    fallbacks: tuple[str, ...] = ()
    issues_receipts: bool = False
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if not self.name or not self.provider_keys:
            raise Unacceptable("name and api_key are required")
        check_name("name", self.name, MAX_PROJECT_NAME)
        _check_provider("default_provider", self.default_provider)
        _check_fallbacks(self.fallbacks)
        _check_keys(self.provider_keys)


class ProjectChange(Struct, frozen=True, kw_only=True):
    """What is to change of a project; what is unset stays. Raises Unacceptable, InvalidField."""

    name: str | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    revoke_tokens: bool = False  # when this very change switches the project off
    default_provider: str | UnsetType = UNSET
    fallbacks: tuple[str, ...] | UnsetType = UNSET
    issues_receipts: bool | UnsetType = UNSET
    key: str | UnsetType = UNSET  # of the default provider, in clear
    provider_keys: Mapping[str, str] = {}  # in clear; those of other providers stay
    limits: LimitsChange = LimitsChange()

    def __post_init__(self) -> None:
        if self.revoke_tokens and self.is_active is not False:
            raise Unacceptable("revoke_tokens requires is_active=false")
        if self.name is not UNSET:
            check_name("name", self.name, MAX_PROJECT_NAME)
        if self.default_provider is not UNSET:
            _check_provider("default_provider", self.default_provider)
        if self.fallbacks is not UNSET:
            _check_fallbacks(self.fallbacks)
        if self.key is not UNSET:
            _check_key(self.key)
        _check_keys(self.provider_keys)

    def over(self, before: GatewayProject) -> GatewayProject:
        """Return ``before`` with the settings of calls that are set here in their place."""
        provider, order, receipts = self.default_provider, self.fallbacks, self.issues_receipts
        return replace(
            before,
            default_provider=before.default_provider if provider is UNSET else provider,
            fallbacks=before.fallbacks if order is UNSET else order,
            issues_receipts=before.issues_receipts if receipts is UNSET else receipts,
        )


def shown_key(key: str) -> str:
    """Return the form of a provider's key that may be shown."""
    if len(key) <= _SHORT:
        return "*" * len(key)
    if len(key) <= _LONG:
        return key[:2] + "*" * (len(key) - 2)
    return f"{key[:8]}...{key[-4:]}"


def place_of(project: ProjectId, provider: str) -> str:
    """Return what a provider's key is bound to: moved to another row, it does not open."""
    return f"gateway_provider_keys/{project}/{provider}"


def _check_keys(keys: Mapping[str, str]) -> None:
    if len(keys) > MAX_PROVIDERS:
        raise InvalidField("provider_keys", f"must name at most {MAX_PROVIDERS} providers")
    for provider, key in keys.items():
        _check_provider("provider_keys", provider)
        _check_key(key)


def _check_fallbacks(names: tuple[str, ...]) -> None:
    if len(names) > MAX_FALLBACKS:
        raise InvalidField("fallbacks", f"must name at most {MAX_FALLBACKS} providers")
    for name in names:
        _check_provider("fallbacks", name)


def _check_provider(field: str, name: str) -> None:
    if not PROVIDER.fullmatch(name):
        rule = "must name a provider: up to 64 lower-case letters, digits, dots, _ and hyphens"
        raise InvalidField(field, rule)


def _check_key(key: str) -> None:
    if any(mark in key for mark in OBSCURED):
        raise Unacceptable("cannot save obfuscated API key - please provide the full API key")
    if not KEY.fullmatch(key):
        raise InvalidField("api_key", "must be 1 to 1024 visible ASCII characters")
