"""Logging many calls at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from msgspec import json

from llmring_core.clock import Clock
from llmring_core.errors import InvalidField, LLMRingError, Unavailable
from llmring_core.idempotency import (
    KEY_LIFETIME,
    AlreadyAnswered,
    Answer,
    AnswerBook,
    Attempt,
    IdempotencyWork,
    KeyReused,
    Outcome,
    fingerprint_of,
    first_answer,
)
from llmring_core.ids import NewId, ProjectId, UsageId
from llmring_core.registry import CurrentRegistry
from llmring_core.transactions import Begin
from llmring_core.usage.batches import (
    Batch,
    BatchResult,
    Line,
    Refusal,
    Taken,
    attempt_by_content,
    check_instant,
)
from llmring_core.usage.model import Logged
from llmring_core.usage.ports import Entry, UsageIntake
from llmring_core.usage.recording import answers_of, attempt_named, logged_of, recorded


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Price many calls and append them to the project's ledger, each stored or refused by itself.

    A batch with a key is claimed first, and each of its lines has a name made of that key. So a
    process may die anywhere in between: the same batch, sent again, finds what is stored already.
    """

    begin: Begin[IdempotencyWork]
    read: Begin[IdempotencyWork]
    intake: UsageIntake
    registry: CurrentRegistry
    clock: Clock
    new_id: NewId

    async def __call__(
        self,
        project: ProjectId,
        batch: Batch,
        idempotency_key: str | None = None,
        request_id: str | None = None,
    ) -> Outcome[BatchResult]:
        """Raises KeyReused, Overloaded, StoreUnavailable."""
        if idempotency_key is None or not batch.lines:
            return Outcome(value=await self._take(project, batch, None, request_id), replayed=False)
        fingerprint = fingerprint_of(batch)
        claim = Attempt(scope=batch.route, key=idempotency_key, fingerprint=fingerprint)
        done = Attempt(scope=f"{batch.route}.done", key=idempotency_key, fingerprint=fingerprint)
        if not await self._is_first(project, claim, ""):
            found = await self._found(project, claim, done)
            if found is not None:
                return Outcome(value=found, replayed=True)
        result = await self._take(project, batch, claim, request_id)
        if not await self._is_first(project, done, json.encode(result).decode()):
            result = await self._found(project, claim, done) or result
            return Outcome(value=result, replayed=True)
        return Outcome(value=result, replayed=False)

    async def _is_first(self, project: ProjectId, attempt: Attempt, body: str) -> bool:
        """Keep ``body`` as the answer to ``attempt``, and tell whether there was none before."""
        now = self.clock()
        answer = Answer(project=project, attempt=attempt, body=body, expires_at=now + KEY_LIFETIME)
        try:
            async with self.begin() as work:
                await work.answers.add([answer], now)
        except AlreadyAnswered:
            return False
        return True

    async def _found(self, project: ProjectId, claim: Attempt, done: Attempt) -> BatchResult | None:
        """Return what the same batch came to, None when it never came to its end."""
        now = self.clock()
        async with self.read() as work:
            await first_answer(work.answers, project, [claim], now)  # of the same batch, that is
            answer = await work.answers.find(project, done, now)
        return None if answer is None else json.decode(answer.body, type=BatchResult)

    async def _take(
        self, project: ProjectId, batch: Batch, claim: Attempt | None, request_id: str | None
    ) -> BatchResult:
        now = self.clock()
        pending: list[tuple[Line, Entry]] = []
        settled: list[Taken | Refusal] = []
        for line in batch.lines:
            try:
                pending.append((line, self._entry(project, line, claim, now, request_id)))
            except InvalidField as error:
                settled.append(Refusal(index=line.index, field=error.field, rule=error.rule))
        outcomes = await self.intake.take_all([entry for _, entry in pending])
        repeated = []
        for (line, entry), outcome in zip(pending, outcomes, strict=True):
            if isinstance(outcome, AlreadyAnswered):
                repeated.append((line, entry))
            elif isinstance(outcome, Unavailable) and claim is not None:
                raise outcome  # the batch may be sent again: what is stored is found by its name
            else:
                settled.append(_settled(line, entry, outcome))
        if repeated:
            settled += await self._first_outcomes(repeated, claim, now)
        taken = [one for one in settled if isinstance(one, Taken)]
        refused = [one for one in settled if isinstance(one, Refusal)]
        outage = next((error for error in outcomes if isinstance(error, Unavailable)), None)
        if outage is not None and not taken:
            raise outage
        return BatchResult(taken=sorted(taken, key=_index), refused=sorted(refused, key=_index))

    async def _first_outcomes(
        self, repeated: Sequence[tuple[Line, Entry]], claim: Attempt | None, now: datetime
    ) -> list[Taken | Refusal]:
        async with self.read() as work:
            return [
                await _first_outcome(work.answers, line, entry, claim, now)
                for line, entry in repeated
            ]

    def _entry(
        self,
        project: ProjectId,
        line: Line,
        claim: Attempt | None,
        now: datetime,
        request_id: str | None,
    ) -> Entry:
        """Raises InvalidField."""
        call = line.call
        if line.at is not None:
            check_instant(line.at, now)
        record = recorded(
            project,
            call,
            self.registry.quote(call.provider, call.model),
            id=UsageId(self.new_id()),
            at=line.at or now,
            request_id=request_id,
        )
        named = (_of_claim(line, claim), attempt_named(call), attempt_by_content(line))
        attempts = [attempt for attempt in named if attempt is not None]
        answers = answers_of(project, attempts, logged_of(record), now)
        return Entry(record=record, answers=answers, taken_at=now)


async def _first_outcome(
    answers: AnswerBook, line: Line, entry: Entry, claim: Attempt | None, now: datetime
) -> Taken | Refusal:
    """Say of a line that was answered before what it was told; or refuse one that says another."""
    project = entry.record.project
    mine = _of_claim(line, claim)
    ours = None if mine is None else await answers.find(project, mine, now)
    if ours is not None:  # stored by an earlier try at this very batch
        logged = json.decode(ours.body, type=Logged)
        return Taken(index=line.index, logged=logged, duplicate=False)
    attempts = [answer.attempt for answer in entry.answers]
    try:
        body = await first_answer(answers, project, attempts, now)
    except (AlreadyAnswered, KeyReused) as error:
        return Refusal(index=line.index, field=None, rule=str(error))
    return Taken(index=line.index, logged=json.decode(body, type=Logged), duplicate=True)


def _settled(line: Line, entry: Entry, refusal: LLMRingError | None) -> Taken | Refusal:
    """Say what became of a line that was not answered before."""
    if refusal is None:
        return Taken(index=line.index, logged=logged_of(entry.record), duplicate=False)
    return Refusal(index=line.index, field=None, rule=str(refusal))


def _of_claim(line: Line, claim: Attempt | None) -> Attempt | None:
    """Return the name of a line of a batch that has one."""
    if claim is None:
        return None
    key = f"{sha256(claim.key.encode()).hexdigest()}:{line.index}"
    return Attempt(scope=f"{claim.scope}.line", key=key, fingerprint=claim.fingerprint)


def _index(one: Taken | Refusal) -> int:
    return one.index
