"""Requests that name themselves, and their first answers."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from llmring_core.idempotency import Answer, Attempt
from tests.builders.kernel import NOON, P1

ATTEMPT = Attempt(scope="usage.log", key="Schlüssel/7 \U0001f600", fingerprint="0f" * 32)
ANSWER = Answer(
    project=P1,
    attempt=ATTEMPT,
    body='{"id":"é\\u2028"}',
    expires_at=NOON + timedelta(hours=24),
)


def attempt(**changes: Any) -> Attempt:
    return replace(ATTEMPT, **changes)


def answer(body: str = ANSWER.body, **changes: Any) -> Answer:
    """Return an answer; changes of its attempt are named among the others."""
    named = {name: changes.pop(name) for name in Attempt.__struct_fields__ if name in changes}
    return replace(ANSWER, body=body, **changes, attempt=attempt(**named))
