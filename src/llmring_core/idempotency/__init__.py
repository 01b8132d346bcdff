"""Idempotency: the same request twice has one effect and one answer."""

from llmring_core.idempotency.errors import AlreadyAnswered, KeyReused
from llmring_core.idempotency.model import KEY_LIFETIME, Answer, AnswerName, Attempt, Outcome
from llmring_core.idempotency.ports import AnswerBook, IdempotencyWork
from llmring_core.idempotency.replay import fingerprint_of, first_answer

__all__ = [
    "KEY_LIFETIME",
    "AlreadyAnswered",
    "Answer",
    "AnswerBook",
    "AnswerName",
    "Attempt",
    "IdempotencyWork",
    "KeyReused",
    "Outcome",
    "fingerprint_of",
    "first_answer",
]
