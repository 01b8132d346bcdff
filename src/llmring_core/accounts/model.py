"""Projects, the keys that open them, and who is calling."""

from datetime import datetime

from msgspec import Struct

from llmring_core.ids import ApiKeyId, ProjectId


class Project(Struct, frozen=True, kw_only=True):
    """A tenant: everything stored belongs to exactly one."""

    id: ProjectId
    name: str
    created_at: datetime  # UTC


class ApiKey(Struct, frozen=True, kw_only=True):
    """What we keep of a key: its digest, never the key."""

    id: ApiKeyId
    project: ProjectId
    digest: str  # SHA-256, 64 hex digits
    shown: str  # "llmr_pk_…Ab3x"
    created_at: datetime  # UTC
    revoked_at: datetime | None  # UTC


class Caller(Struct, frozen=True, kw_only=True):
    """Who is asking: the project a key belongs to."""

    project: ProjectId


class IssuedKey(Struct, frozen=True, kw_only=True):
    """A key just made. ``secret`` is known here and nowhere else: show it once."""

    key: ApiKey
    secret: str
