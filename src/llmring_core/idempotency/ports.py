"""What the idempotency context needs from the outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from llmring_core.idempotency.model import Answer, Attempt
from llmring_core.ids import ProjectId


class AnswerBook(Protocol):
    """A project's first answers. Adding one is the lock: it belongs in the effect's transaction."""

    async def add(self, project: ProjectId, answers: Sequence[Answer], now: datetime) -> None:
        """Keep ``answers``, in place of expired ones.

        Raises AlreadyAnswered when the project has one in force for a scope and key.
        """

    async def find(self, project: ProjectId, attempt: Attempt, now: datetime) -> Answer | None:
        """Return the answer in force at ``now`` for the attempt's scope and key."""


class IdempotencyWork(Protocol):
    """The stores one idempotent transaction may touch."""

    @property
    def answers(self) -> AnswerBook: ...
