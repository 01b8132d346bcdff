"""Ways into the ledger: each entry in a transaction of its own, or many in one."""

from asyncio import Future, Task, create_task, gather, get_running_loop, shield
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from time import monotonic
from typing import NamedTuple

from llmring_adapters.usage.measures import IntakeMeasures
from llmring_core.errors import LLMRingError, StoreUnavailable, Unavailable
from llmring_core.idempotency import AlreadyAnswered, AnswerName
from llmring_core.transactions import Begin
from llmring_core.usage import Entry, Overloaded, UsageIntake, UsageWork

MAX_WAITING = 10_000  # entries; beyond, callers are sent away rather than kept in memory
MAX_TOGETHER = 500  # entries in one transaction
INTERRUPTED = "the server stopped while this call was being stored; repeat it"
MAX_WAIT_S = 2.0  # for a turn to be written; longer means the store cannot keep up

Write = Callable[[Sequence[Entry]], Awaitable[None]]  # commits all of them or none


def in_one_transaction(begin: Begin[UsageWork]) -> Write:
    """Write entries through the stores of ``begin``."""

    async def write(entries: Sequence[Entry]) -> None:
        answers = [answer for entry in entries for answer in entry.answers]
        async with begin() as work:
            await work.answers.add(answers, entries[0].taken_at)
            await work.usage.append([entry.record for entry in entries])

    return write


class DirectIntake(UsageIntake):
    """Commits each entry by itself."""

    def __init__(self, write: Write) -> None:
        self._write = write

    async def take(self, entry: Entry) -> None:
        await shield(create_task(self._writing(entry)))

    async def _writing(self, entry: Entry) -> None:
        await self._write([entry])

    async def take_all(self, entries: Sequence[Entry]) -> list[LLMRingError | None]:
        return [await self._refusal(entry) for entry in entries]

    async def _refusal(self, entry: Entry) -> LLMRingError | None:
        try:
            await self._write([entry])
        except LLMRingError as error:
            return error
        return None


class Waiting(NamedTuple):
    """An entry, and whoever waits for it."""

    entry: Entry
    committed: Future[None]
    since: float  # seconds of the clock given


class GroupCommit(UsageIntake):
    """Commits together whatever has arrived while the last commit was under way.

    One commit costs about the same for one row as for hundreds; so under load a call costs a
    fraction of one, and a lonely call still waits for nobody.
    """

    def __init__(
        self,
        write: Write,
        close: Callable[[], Awaitable[None]] | None = None,
        max_waiting: int = MAX_WAITING,
        time_s: Callable[[], float] = monotonic,
        measures: IntakeMeasures | None = None,
    ) -> None:
        self._write = write
        self._close = close
        self._max_waiting = max_waiting
        self._time_s = time_s
        self._measures = measures or IntakeMeasures()
        self._waiting: deque[Waiting] = deque()
        self._writing: Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many calls wait for their commit, besides those that are being written."""
        return len(self._waiting)

    async def take(self, entry: Entry) -> None:
        await self._taken(entry)

    async def take_all(self, entries: Sequence[Entry]) -> list[LLMRingError | None]:
        if len(self._waiting) + len(entries) > self._max_waiting:  # all of them, or none
            self._measures.overloads += len(entries)
            raise Overloaded
        outcomes = await gather(*map(self._taken, entries), return_exceptions=True)
        return [_refusal(outcome) for outcome in outcomes]

    def _taken(self, entry: Entry) -> Future[None]:
        """Let ``entry`` wait for the next commit. Raises Overloaded."""
        if len(self._waiting) >= self._max_waiting:
            self._measures.overloads += 1
            raise Overloaded
        committed: Future[None] = get_running_loop().create_future()
        self._waiting.append(Waiting(entry, committed, self._time_s()))
        if self._writing is None:
            self._writing = create_task(self._write_all())
        return committed

    async def close(self) -> None:
        """Return when everything taken is written or refused, and the store is let go of."""
        while self._writing is not None:
            await self._writing
        if self._close is not None:
            await self._close()

    async def _write_all(self) -> None:
        try:
            while group := self._next_group():
                await self._settle(group)
        finally:  # nobody waits for ever, even when this task is cancelled
            self._writing = None
            _refuse(self._waiting, StoreUnavailable(INTERRUPTED))
            self._waiting.clear()

    def _next_group(self) -> list[Waiting]:
        """Take the next entries, up to one whose answer is in the group already.

        That one is the same request again: it must find the first one's answer committed.
        """
        group: list[Waiting] = []
        names: set[AnswerName] = set()
        too_old = self._time_s() - MAX_WAIT_S
        while self._waiting and len(group) < MAX_TOGETHER:
            if self._waiting[0].since < too_old:
                self._measures.overloads += 1
                _refuse([self._waiting.popleft()], Overloaded())
                continue
            answers = self._waiting[0].entry.answers
            if any(answer.name in names for answer in answers):
                break
            names.update(answer.name for answer in answers)
            group.append(self._waiting.popleft())
        return group

    async def _settle(self, group: list[Waiting]) -> None:
        """Write ``group``; where an entry is refused, the others are written without it."""
        parts = [group]
        while parts:
            part = parts.pop()
            try:
                await self._write([waiting.entry for waiting in part])
            except AlreadyAnswered as error:
                again, rest = _split(part, set(error.names))
                _refuse(again or part, error)
                if again and rest:
                    parts.append(rest)
            except Unavailable as error:  # whoever comes next would only wait to hear the same
                for refused in (part, *parts, self._waiting):
                    _refuse(refused, error)
                self._waiting.clear()
                return
            except Exception as error:  # one of them cannot be stored: find out which
                if len(part) == 1:
                    _refuse(part, error)
                else:
                    half = len(part) // 2
                    parts += [part[half:], part[:half]]
            except BaseException:
                for refused in (part, *parts):
                    _refuse(refused, StoreUnavailable(INTERRUPTED))
                raise
            else:
                self._measures.committed(waiting.entry.record for waiting in part)
                for waiting in part:
                    if not waiting.committed.done():  # whoever waited may have gone
                        waiting.committed.set_result(None)


def _split(group: list[Waiting], names: set[AnswerName]) -> tuple[list[Waiting], list[Waiting]]:
    """Return those whose answer is among ``names``, and the others."""
    found: tuple[list[Waiting], list[Waiting]] = [], []
    for waiting in group:
        named = any(answer.name in names for answer in waiting.entry.answers)
        found[not named].append(waiting)
    return found


def _refusal(outcome: BaseException | None) -> LLMRingError | None:
    """Return why an entry was refused. Raises what is a bug."""
    if outcome is None or isinstance(outcome, LLMRingError):
        return outcome
    raise outcome


def _refuse(group: Iterable[Waiting], error: Exception) -> None:
    for waiting in group:
        if not waiting.committed.done():
            waiting.committed.set_exception(error)
