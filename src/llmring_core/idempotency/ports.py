"""What the idempotency context needs from the outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from llmring_core.idempotency.model import Answer, Attempt
from llmring_core.ids import ProjectId


class AnswerBook(Protocol):
    """First answers. Adding one is the lock: it belongs in the transaction of the effect."""

    async def add(self, answers: Sequence[Answer], now: datetime) -> None:
        """Keep ``answers``, no two of one name, in place of expired ones.

        Raises AlreadyAnswered, naming those whose project has one in force already.
        """

    async def find(self, project: ProjectId, attempt: Attempt, now: datetime) -> Answer | None:
        """Return the answer in force at ``now`` for the attempt's scope and key."""


class IdempotencyWork(Protocol):
    """The stores one idempotent transaction may touch."""

    @property
    def answers(self) -> AnswerBook: ...
