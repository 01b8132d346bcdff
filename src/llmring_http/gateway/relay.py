"""One call on its way: providers are read to the end, whoever still listens."""

from asyncio import CancelledError, Task, TimerHandle, current_task, get_running_loop, sleep
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from time import time_ns
from typing import Any

from litestar.types import Send

from llmring_core.errors import LLMRingError
from llmring_core.gateway import Admission
from llmring_core.gateway.caching import Looked, Reply, StoredAnswer
from llmring_core.gateway.forwarding import pause_s
from llmring_core.gateway.hits import Hit
from llmring_http.gateway.caching import Tape, through_cache
from llmring_http.gateway.connection import Connection
from llmring_http.gateway.listener import Drained, Listener
from llmring_http.gateway.parts import Caching, Forwarding
from llmring_http.gateway.passage import About, MovesOn, Passage
from llmring_http.gateway.planning import Planned, Received, cacheable, planned_besides
from llmring_http.gateway.refusals import PROXY
from llmring_http.gateway.stamps import stamps

NANOS_A_MS = 10**6


class Relay:
    """Looks into the cache, then asks providers, until one answers well enough to be passed on."""

    def __init__(
        self,
        parts: Forwarding,
        received: Received,
        first: Planned,
        admission: Admission,
        about: About,
        send: Send,
        connection: Connection,
    ) -> None:
        self._parts = parts
        self._received = received
        self._first = first  # of the providers that may be asked
        self._admission = admission
        self._about = about
        self._connection = connection
        self._task: Task[Any] | None = None  # that runs it
        self._timer: TimerHandle | None = None
        self.listener = Listener(send, connection, parts.send_s, parts.drain_bytes, self._leave)

    async def run(self) -> Exception | None:
        """Return why the caller did not get the whole answer; None when it did.

        No server cancels a request whose caller leaves: this goes on to the answer's end, or as far
        as the bounds allow.
        """
        self._task = current_task()
        self._connection.on_left(self._leave)
        try:
            return await self._answered()
        finally:
            self._connection.on_left(None)
            self._task = None
            if self._timer is not None:
                self._timer.cancel()

    def stop(self) -> None:
        """Have it end now, with what is known recorded; a server that stops may have done so."""
        if self._task is not None and not self._task.cancelling():
            self._task.cancel()

    def _leave(self) -> None:
        if not self.listener.is_gone:
            self.listener.is_gone = True
            self._timer = get_running_loop().call_later(self._parts.drain_s, self.stop)

    async def _answered(self) -> Exception | None:
        caching = self._parts.caching
        try:
            if caching is None:
                return await self._fetched(Tape())
            call = cacheable(self._received, self._first, self._admission.project)
            return await through_cache(
                caching, call, self._about.told, partial(self._given, caching), self._fetched
            )
        except LLMRingError as problem:  # no provider was asked
            return problem
        except CancelledError:  # its caller is gone for long enough, or the server stops
            return None

    async def _given(self, caching: Caching, looked: Looked) -> bool:
        """Pass on what the cache has, once that is recorded; return whether it has anything.

        Raises what ``RecordHit`` does.
        """
        if looked.answer is None or looked.reply is None:
            return False
        if not self.listener.is_gone:
            self._about.told.cache = looked.standing
            await self._record(caching, looked.answer, looked.reply)
            await self._give(looked.reply)
        return True

    async def _record(self, caching: Caching, answer: StoredAnswer, reply: Reply) -> None:
        now_ns = time_ns()
        hit = Hit(
            project=self._admission.project,
            token=self._admission.token,
            call=self._first.call,
            answer=answer,
            status=reply.status,
            latency_ms=max(0, now_ns - self._about.told.received_ns) // NANOS_A_MS,
            request_id=self._about.request_id,
        )
        self._about.told.record = await caching.record(hit)

    async def _give(self, reply: Reply) -> None:
        times = stamps(self._about.told.received_ns, time_ns())
        *pieces, last = reply.pieces or (b"",)
        with suppress(Drained):
            await self.listener.start(
                reply.status, [*reply.headers, *self._about.headers, PROXY, *times]
            )
            for piece in pieces:
                await self.listener.give(piece, more=True)
            await self.listener.give(last, more=False)

    async def _fetched(self, tape: Tape) -> Exception | None:
        """Ask providers; return what ``run`` does. Raises what ``ChargeRequest`` does."""
        if self.listener.is_gone:
            return None
        parts, first, admission = self._parts, self._first, self._admission
        others = await planned_besides(parts, self._received, first, admission)
        await parts.charge(admission)
        tape.asked()
        return await self._asked([first, *others], tape)

    async def _asked(self, plan: Sequence[Planned], tape: Tape) -> Exception | None:
        problem: Exception | None = None
        for number, planned in enumerate(plan, 1):
            try:
                return await self._passed(planned, tape, is_last=number == len(plan))
            except MovesOn as error:
                problem = error
            if self.listener.is_gone:
                break
            await sleep(_pause_s(plan, number))
        return problem

    async def _passed(self, planned: Planned, tape: Tape, *, is_last: bool) -> Exception | None:
        attempt = self._parts.attempts.begin(
            planned.call, planned.body, self._admission, self._about.request_id
        )
        passage = Passage(self._parts, attempt, planned, self.listener, self._about, tape, is_last)
        return await passage.made()


def _pause_s(plan: Sequence[Planned], number: int) -> float:
    """Return how long to wait after the first ``number`` of ``plan`` were asked."""
    names = tuple(planned.call.provider.name for planned in plan)
    return pause_s(names[:number], names[number])
