"""First answers in a dictionary."""

from collections.abc import Sequence
from datetime import datetime

from llmring_adapters.journal import JournaledDict
from llmring_core.idempotency import AlreadyAnswered, Answer, AnswerBook, Attempt
from llmring_core.ids import ProjectId

Name = tuple[ProjectId, str, str]  # project, scope, key


class MemoryAnswerBook(AnswerBook):
    def __init__(self, answers: JournaledDict[Name, Answer]) -> None:
        self._answers = answers

    async def add(self, project: ProjectId, answers: Sequence[Answer], now: datetime) -> None:
        for answer in answers:
            if await self.find(project, answer.attempt, now):
                raise AlreadyAnswered(answer.attempt)
            self._answers[project, answer.attempt.scope, answer.attempt.key] = answer

    async def find(self, project: ProjectId, attempt: Attempt, now: datetime) -> Answer | None:
        answer = self._answers.get((project, attempt.scope, attempt.key))
        if answer is None or (answer.expires_at is not None and answer.expires_at <= now):
            return None
        return answer
