"""Projects and API keys."""

from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from llmring_core.accounts import ApiKey, Project
from llmring_core.ids import ApiKeyId
from tests.builders.kernel import NOON, P1

PROJECT = Project(id=P1, name="Überraschung №1 \U0001f600", created_at=NOON)
API_KEY = ApiKey(
    id=ApiKeyId("01990000-0000-7000-8000-000000000001"),
    project=P1,
    digest=sha256(b"1").hexdigest(),
    shown="llmr_pk_…Ab3x",
    created_at=NOON,
    revoked_at=None,
)


def project(**changes: Any) -> Project:
    return replace(PROJECT, **changes)


def api_key(number: int = 1, **changes: Any) -> ApiKey:
    """Return the key of that number; another number, another id and digest."""
    id = ApiKeyId(f"01990000-0000-7000-8000-{number:012x}")
    digest = sha256(str(number).encode()).hexdigest()
    return replace(API_KEY, **({"id": id, "digest": digest} | changes))
