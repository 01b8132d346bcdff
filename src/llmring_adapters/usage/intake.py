"""Ways into the ledger: each entry in a transaction of its own, or many in one."""

from asyncio import Future, Task, create_task, gather, get_running_loop
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from llmring_core.errors import Conflict, Invalid, LLMRingError
from llmring_core.idempotency import AlreadyAnswered, AnswerName
from llmring_core.transactions import Begin
from llmring_core.usage import Entry, Overloaded, UsageIntake, UsageWork

MAX_WAITING = 10_000  # entries; beyond, callers are sent away rather than kept in memory
MAX_TOGETHER = 500  # entries in one transaction

Write = Callable[[Sequence[Entry]], Awaitable[None]]  # commits all of them or none
Close = Callable[[], Awaitable[None]]


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
        await self._write([entry])

    async def take_all(self, entries: Sequence[Entry]) -> list[LLMRingError | None]:
        return [await self._refusal(entry) for entry in entries]

    async def _refusal(self, entry: Entry) -> LLMRingError | None:
        try:
            await self._write([entry])
        except LLMRingError as error:
            return error
        return None


class GroupCommit(UsageIntake):
    """Commits together whatever has arrived while the last commit was under way.

    One commit costs about the same for one row as for hundreds; so under load a call costs a
    fraction of one, and a lonely call still waits for nobody.
    """

    def __init__(self, write: Write, close: Close | None = None) -> None:
        self._write = write
        self._close = close
        self._waiting: deque[tuple[Entry, Future[None]]] = deque()
        self._writing: Task[None] | None = None

    async def take(self, entry: Entry) -> None:
        await self._taken(entry)

    async def take_all(self, entries: Sequence[Entry]) -> list[LLMRingError | None]:
        if len(self._waiting) + len(entries) > MAX_WAITING:  # all of them, or none
            raise Overloaded
        outcomes = await gather(*map(self._taken, entries), return_exceptions=True)
        return [_refusal(outcome) for outcome in outcomes]

    def _taken(self, entry: Entry) -> Future[None]:
        """Let ``entry`` wait for the next commit. Raises Overloaded."""
        if len(self._waiting) >= MAX_WAITING:
            raise Overloaded
        committed: Future[None] = get_running_loop().create_future()
        self._waiting.append((entry, committed))
        if self._writing is None:
            self._writing = create_task(self._write_all())
        return committed

    async def aclose(self) -> None:
        """Write what was taken, or refuse it, and let go of what writes."""
        while self._writing is not None:
            await self._writing
        if self._close is not None:
            await self._close()

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                await self._settle(self._next_group())
        finally:
            self._writing = None

    def _next_group(self) -> list[tuple[Entry, Future[None]]]:
        """Take the next entries, up to one whose answer is in the group already.

        That one is the same request again: it must find the first one's answer committed.
        """
        group: list[tuple[Entry, Future[None]]] = []
        names: set[AnswerName] = set()
        while self._waiting and len(group) < MAX_TOGETHER:
            answers = self._waiting[0][0].answers
            if any(answer.name in names for answer in answers):
                break
            names.update(answer.name for answer in answers)
            group.append(self._waiting.popleft())
        return group

    async def _settle(self, group: Sequence[tuple[Entry, Future[None]]]) -> None:
        """Write ``group``; where an entry is refused, the others are written without it."""
        if not group:
            return
        try:
            await self._write([entry for entry, _ in group])
        except AlreadyAnswered as error:
            taken = set(error.names)
            _refuse([pair for pair in group if _names(pair[0]) & taken], error)
            await self._settle([pair for pair in group if not _names(pair[0]) & taken])
        except (Conflict, Invalid) as error:
            if len(group) == 1:
                _refuse(group, error)
                return
            half = len(group) // 2
            await self._settle(group[:half])
            await self._settle(group[half:])
        except Exception as error:  # of the store, or a bug: nothing of the group is stored
            _refuse(group, error)
        else:
            for _, committed in group:
                if not committed.done():  # whoever waited may have gone
                    committed.set_result(None)


def _names(entry: Entry) -> set[AnswerName]:
    return {answer.name for answer in entry.answers}


def _refusal(outcome: BaseException | None) -> LLMRingError | None:
    """Return why an entry was refused. Raises what is a bug."""
    if outcome is None or isinstance(outcome, LLMRingError):
        return outcome
    raise outcome


def _refuse(group: Sequence[tuple[Entry, Future[None]]], error: Exception) -> None:
    for _, committed in group:
        if not committed.done():
            committed.set_exception(error)
