"""One call on its way: providers are read by a task of its own, whoever still listens."""

from asyncio import Task, TimerHandle, create_task, get_running_loop, sleep
from collections.abc import Sequence

from litestar.types import Send

from llmring_core.gateway import Admission
from llmring_core.gateway.forwarding import pause_s
from llmring_http.gateway.listener import Listener
from llmring_http.gateway.parts import Forwarding
from llmring_http.gateway.passage import About, MovesOn, Passage
from llmring_http.gateway.planning import Planned


class Relay:
    """Asks one provider after the other, until one answers well enough to be passed on."""

    def __init__(
        self,
        parts: Forwarding,
        plan: Sequence[Planned],
        admission: Admission,
        about: About,
        send: Send,
    ) -> None:
        self._parts = parts
        self._plan = plan
        self._admission = admission
        self._about = about
        self._timer: TimerHandle | None = None
        self.listener = Listener(send, parts.send_s, parts.drain_bytes, self.leave)
        self.task: Task[Exception | None] = create_task(self._run())

    def leave(self) -> None:
        """Go on without the caller: to the answer's end, or as far as the bounds allow."""
        if not self.listener.is_gone and not self.task.done():
            self.listener.is_gone = True
            loop = get_running_loop()
            self._timer = loop.call_later(self._parts.drain_s, self.task.cancel)

    async def _run(self) -> Exception | None:
        """Return why the caller did not get the whole answer; None when it did."""
        problem: Exception | None = None
        try:
            for number, planned in enumerate(self._plan, 1):
                try:
                    return await self._passed(planned, is_last=number == len(self._plan))
                except MovesOn as error:
                    problem = error
                if self.listener.is_gone:
                    break
                await sleep(self._pause_s(number))
            return problem
        finally:
            if self._timer is not None:
                self._timer.cancel()

    async def _passed(self, planned: Planned, *, is_last: bool) -> Exception | None:
        attempt = self._parts.attempts.begin(
            planned.call, planned.body, self._admission, self._about.request_id
        )
        passage = Passage(self._parts, attempt, planned, self.listener, self._about, is_last)
        return await passage.made()

    def _pause_s(self, number: int) -> float:
        """Return how long to wait after the first ``number`` of the plan were asked."""
        names = tuple(planned.call.provider.name for planned in self._plan)
        return pause_s(names[:number], names[number])
