"""Committing together what arrives together."""

from asyncio import Future, Task, create_task, gather, get_running_loop
from bisect import bisect_left
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from time import monotonic
from typing import Generic, NamedTuple, Protocol, TypeVar

from llmring_core.errors import LLMRingError, Overloaded, StoreUnavailable, Unavailable
from llmring_core.idempotency import AlreadyAnswered, AnswerName

MAX_WAITING = 10_000  # entries; beyond, callers are sent away rather than kept in memory
MAX_TOGETHER = 500  # entries in one transaction
INTERRUPTED = "the server stopped while this call was being stored; repeat it"
MAX_WAIT_S = 2.0  # for a turn to be written; longer means the store cannot keep up

GROUP_BOUNDS = (1, 2, 5, 10, 25, 50, 100, 250, 500)  # entries in one transaction


class Answered(Protocol):
    """Something to be stored that may have been before, under one of its names."""

    @property
    def names(self) -> Collection[AnswerName]: ...


Stored = TypeVar("Stored", bound=Answered)
StoredNow = TypeVar("StoredNow", bound=Answered, contravariant=True)
Result = TypeVar("Result")
ResultNow = TypeVar("ResultNow", covariant=True)


class Write(Protocol[StoredNow, ResultNow]):
    """Commits all of some entries, or none."""

    def __call__(self, entries: Sequence[StoredNow], /) -> Awaitable[Sequence[ResultNow]]:
        """Return what became of each, in their order."""


class GroupMeasures(Generic[StoredNow]):
    """What is counted of groups since the process began."""

    __slots__ = ("groups", "overloads")

    def __init__(self) -> None:
        self.overloads = 0  # entries sent away because too many waited, or for too long
        self.groups = [0] * (len(GROUP_BOUNDS) + 1)  # transactions, by their number of entries

    def committed(self, entries: Sequence[StoredNow]) -> None:
        """Count the entries of one transaction."""
        self.groups[bisect_left(GROUP_BOUNDS, len(entries))] += 1


class Waiting(NamedTuple, Generic[Stored, Result]):
    """An entry, and whoever waits for it."""

    entry: Stored
    committed: Future[Result]
    since: float  # seconds of the clock given


class GroupCommit(Generic[Stored, Result]):
    """Commits together whatever has arrived while the last commit was under way.

    One commit costs about the same for one row as for hundreds; so under load a call costs a
    fraction of one, and a lonely call still waits for nobody.
    """

    def __init__(
        self,
        write: Write[Stored, Result],
        close: Callable[[], Awaitable[None]] | None = None,
        max_waiting: int = MAX_WAITING,
        time_s: Callable[[], float] = monotonic,
        measures: GroupMeasures[Stored] | None = None,
    ) -> None:
        self._write = write
        self._close = close
        self._max_waiting = max_waiting
        self._time_s = time_s
        self._measures = measures or GroupMeasures()
        self._waiting: deque[Waiting[Stored, Result]] = deque()
        self._writing: Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many entries wait for their commit, besides those that are being written."""
        return len(self._waiting)

    async def take(self, entry: Stored) -> Result:
        """Write ``entry``, and return once it is committed; whoever leaves does not stop it."""
        return await self._taken(entry)

    async def take_all(self, entries: Sequence[Stored]) -> list[Result | LLMRingError]:
        """Write each of ``entries`` by itself, and return what became of it. Raises Overloaded."""
        if len(self._waiting) + len(entries) > self._max_waiting:  # all of them, or none
            self._measures.overloads += len(entries)
            raise Overloaded
        outcomes = await gather(*map(self._taken, entries), return_exceptions=True)
        return [_unless_a_bug(outcome) for outcome in outcomes]

    def _taken(self, entry: Stored) -> Future[Result]:
        """Let ``entry`` wait for the next commit. Raises Overloaded."""
        if len(self._waiting) >= self._max_waiting:
            self._measures.overloads += 1
            raise Overloaded
        committed: Future[Result] = get_running_loop().create_future()
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

    def _next_group(self) -> list[Waiting[Stored, Result]]:
        """Take the next entries, up to one that has a name of one in the group already.

        That one is the same request again: it must find the first one's answer committed.
        """
        group: list[Waiting[Stored, Result]] = []
        names: set[AnswerName] = set()
        too_old = self._time_s() - MAX_WAIT_S
        while self._waiting and len(group) < MAX_TOGETHER:
            if self._waiting[0].since < too_old:
                self._measures.overloads += 1
                _refuse([self._waiting.popleft()], Overloaded())
                continue
            named = self._waiting[0].entry.names
            if not names.isdisjoint(named):
                break
            names.update(named)
            group.append(self._waiting.popleft())
        return group

    async def _settle(self, group: list[Waiting[Stored, Result]]) -> None:
        """Write ``group``; where an entry is refused, the others are written without it."""
        parts = [group]
        while parts:
            part = parts.pop()
            entries = [waiting.entry for waiting in part]
            try:
                results = await self._write(entries)
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
                self._measures.committed(entries)
                for waiting, result in zip(part, results, strict=True):
                    if not waiting.committed.done():  # whoever waited may have gone
                        waiting.committed.set_result(result)


def _split(
    group: list[Waiting[Stored, Result]], names: set[AnswerName]
) -> tuple[list[Waiting[Stored, Result]], list[Waiting[Stored, Result]]]:
    """Return those that have one of ``names``, and the others."""
    found: tuple[list[Waiting[Stored, Result]], list[Waiting[Stored, Result]]] = [], []
    for waiting in group:
        found[names.isdisjoint(waiting.entry.names)].append(waiting)
    return found


def _unless_a_bug(outcome: Result | BaseException) -> Result | LLMRingError:
    """Return ``outcome``. Raises what nobody refused."""
    if isinstance(outcome, BaseException) and not isinstance(outcome, LLMRingError):
        raise outcome
    return outcome


def _refuse(group: Iterable[Waiting[Stored, Result]], error: Exception) -> None:
    for waiting in group:
        if not waiting.committed.done():
            waiting.committed.set_exception(error)
