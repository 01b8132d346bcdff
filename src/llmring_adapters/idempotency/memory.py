"""First answers in a dictionary."""

from collections.abc import Sequence
from datetime import datetime

from llmring_adapters.journal import JournaledDict
from llmring_core.idempotency import AlreadyAnswered, Answer, AnswerBook, AnswerName, Attempt
from llmring_core.ids import ProjectId


class MemoryAnswerBook(AnswerBook):
    def __init__(self, answers: JournaledDict[AnswerName, Answer]) -> None:
        self._answers = answers

    async def add(self, answers: Sequence[Answer], now: datetime) -> None:
        taken = [answer.name for answer in answers if self._in_force(answer.name, now)]
        if taken:
            raise AlreadyAnswered(taken)
        for answer in answers:
            self._answers[answer.name] = answer

    async def find(self, project: ProjectId, attempt: Attempt, now: datetime) -> Answer | None:
        return self._in_force((project, attempt.scope, attempt.key), now)

    def _in_force(self, name: AnswerName, now: datetime) -> Answer | None:
        answer = self._answers.get(name)
        if answer is None or (answer.expires_at is not None and answer.expires_at <= now):
            return None
        return answer
