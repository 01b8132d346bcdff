"""Everything that can go wrong in the idempotency context."""

from collections.abc import Collection
from typing import ClassVar

from llmring_core.errors import Conflict, Invalid
from llmring_core.idempotency.model import AnswerName, Attempt


class KeyReused(Invalid):
    """The key was used before, for a different request."""

    code: ClassVar[str] = "idempotency.key-reused"

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(f"key {attempt.key!r} was used for a different request; use a new one")
        self.attempt = attempt


class AlreadyAnswered(Conflict):
    """The same request is being answered, or has been; repeat it to read that answer."""

    code: ClassVar[str] = "idempotency.already-answered"

    def __init__(self, names: Collection[AnswerName]) -> None:
        keys = ", ".join(sorted(repr(key) for _, _, key in names))
        super().__init__(f"a request with key {keys} is under way; repeat it in a moment")
        self.names = names
