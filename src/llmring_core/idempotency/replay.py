"""Rule: when two requests are the same one, and what the second is told."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from msgspec import Struct, json

from llmring_core.idempotency.errors import AlreadyAnswered, KeyReused
from llmring_core.idempotency.model import Attempt
from llmring_core.idempotency.ports import AnswerBook
from llmring_core.ids import ProjectId


def fingerprint_of(command: Struct) -> str:
    """Return the SHA-256 of ``command``: equal for equal requests, however they were spelt."""
    return sha256(json.encode(command, order="sorted")).hexdigest()


async def first_answer(
    book: AnswerBook, project: ProjectId, attempts: Sequence[Attempt], now: datetime
) -> str:
    """Return the body that the first of ``attempts`` made before got.

    Raises: KeyReused when it was a different request then, AlreadyAnswered when the answer in
    force has just expired.
    """
    for attempt in attempts:
        answer = await book.find(project, attempt, now)
        if answer is None:
            continue
        if answer.attempt.fingerprint != attempt.fingerprint:
            raise KeyReused(attempt)
        return answer.body
    raise AlreadyAnswered([(project, attempt.scope, attempt.key) for attempt in attempts])
