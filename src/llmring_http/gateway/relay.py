"""One call on its way: the provider is read by a task of its own, whoever still listens."""

import logging
from asyncio import CancelledError, Task, TimerHandle, create_task, get_running_loop, timeout
from collections.abc import Sequence
from dataclasses import dataclass
from time import time_ns

from litestar.types import Send

from llmring_core.errors import LLMRingError
from llmring_core.gateway.forwarding import (
    FAILING,
    Admission,
    Asked,
    Attempt,
    Breaker,
    Call,
    Gatekeeper,
    Meter,
    Metered,
    Meters,
    Outcome,
    Providers,
    RecordAttempt,
    Upstream,
    UpstreamAnswer,
    UpstreamBroken,
    UpstreamBusy,
    UpstreamFailed,
    UpstreamRequest,
    is_recorded,
    to_client,
)
from llmring_http.gateway.refusals import PROXY
from llmring_http.gateway.showing import Shown

# When a provider was asked, and when its head came: nanoseconds since 1970.
ASKED = b"x-upstream-request-start"
ANSWERED = b"x-upstream-request-stop"
EVENTS = "text/event-stream"

log = logging.getLogger("llmring")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """What the gateway is made of, and its bounds."""

    providers: Providers
    gatekeeper: Gatekeeper
    upstream: Upstream
    breaker: Breaker
    meters: Meters
    record: RecordAttempt
    max_body_bytes: int
    max_in_flight: int  # calls
    drain_s: float  # for the rest of an answer whose caller is gone
    drain_bytes: int  # of it
    send_s: float  # for a caller to take what was sent


class Relay:
    """Asks, reads, meters and passes on; records the attempt before the last bytes leave."""

    def __init__(
        self,
        parts: Forwarding,
        call: Call,
        admission: Admission,
        request: UpstreamRequest,
        request_id: str,
        send: Send,
        headers: Sequence[tuple[bytes, bytes]],
        *,
        hides_usage: bool,
    ) -> None:
        self._parts = parts
        self._call = call
        self._admission = admission
        self._request = request
        self._request_id = request_id
        self._send = send
        self._headers = [*headers, PROXY]  # of ours, on the answer
        self._hides_usage = hides_usage  # because its caller did not ask for it
        self._loop = get_running_loop()
        self._began = self._loop.time()
        self._status: int | None = None
        self._meter: Meter | None = None
        self._settled = False
        self._told = False  # the breaker
        self._gone = False  # the caller
        self._drained = 0  # bytes since then
        self._timer: TimerHandle | None = None
        self.started = False  # the answer
        self.is_stuck = False  # its reader, who takes nothing any more
        self.task: Task[Exception | None] = create_task(self._run())

    def leave(self) -> None:
        """Go on without the caller: to the answer's end, or as far as the bounds allow."""
        if not self._gone and not self.task.done():
            self._gone = True
            self._timer = self._loop.call_later(self._parts.drain_s, self.task.cancel)

    async def _run(self) -> Exception | None:
        """Return why the caller did not get the whole answer; None when it did."""
        answer: UpstreamAnswer | None = None
        problem: Exception | None = None
        try:
            asked_ns = time_ns()
            answer = await self._parts.upstream.ask(self._request)
            self._headers += [(ASKED, b"%d" % asked_ns), (ANSWERED, b"%d" % time_ns())]
            self._judge(answer.status not in FAILING)
            self._status = answer.status
            await self._pass_on(answer)
        except UpstreamBusy as error:
            return error  # nobody was asked
        except UpstreamFailed as error:
            self._judge(False)
            problem = error
            await self._end("truncated" if self._status is not None else "upstream_error")
        except LLMRingError as error:  # the record could not be committed
            problem = error
        except (CancelledError, _Drained):
            await self._end("client_disconnected")
        except Exception as error:
            problem = error
            if self.started or self._gone:  # else whoever answers logs it
                facts = {"request_id": self._request_id}
                log.error("unexpected error", exc_info=error, extra=facts)
            await self._end("unknown")
        finally:
            self._judge(None)
            if self._timer is not None:
                self._timer.cancel()
            if answer is not None:
                answer.close()
        return problem

    async def _pass_on(self, answer: UpstreamAnswer) -> None:
        """Raises UpstreamBroken, UpstreamTimeout, and what a record may raise."""
        received = to_client(answer.headers, answer.status)
        asked = self._asked(answer.status, received)
        self._meter = self._parts.meters(asked)
        is_stream = answer.status == 200 and asked.media_type == EVENTS
        shown = Shown(hides_usage=self._hides_usage and is_stream)
        headers = shown.headers(received)
        length = _length(headers)
        start = [*headers, *self._headers]
        if length is None:  # who waits for a stream learns at once that it comes
            await self._start(answer.status, start)
        count = 0
        while piece := await self._read(answer, shown):
            count += len(piece)
            if self._feed(piece) or count == length:
                await self._settle(self._usual(self._metered()))
            if not self.started:
                await self._start(answer.status, start)
            await self._pass(shown.piece(piece), more=count != length)
        metered = self._metered()
        await self._settle(self._usual(metered))
        if not self.started:
            await self._start(answer.status, start)
        await self._pass(shown.rest(), more=True)
        if not metered.whole:
            raise UpstreamBroken
        if count == 0 or count != length:
            await self._pass(b"", more=False)

    async def _read(self, answer: UpstreamAnswer, shown: Shown) -> bytes:
        """Return what came, empty at the end. Raises UpstreamBroken, UpstreamTimeout."""
        try:
            return await answer.read()
        except UpstreamFailed:
            await self._pass(shown.rest(), more=True)
            raise

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.started = True
        if not self._gone:
            await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _pass(self, piece: bytes, more: bool) -> None:
        """Send a piece on; a caller that takes too long to take it counts as gone."""
        if not piece and more:
            return
        if not self._gone:
            try:
                async with timeout(self._parts.send_s):
                    await self._send(
                        {"type": "http.response.body", "body": piece, "more_body": more}
                    )
            except (TimeoutError, OSError):
                self.is_stuck = True
                self.leave()
        if self._gone:
            self._drained += len(piece)
            if self._drained > self._parts.drain_bytes:
                raise _Drained

    def _usual(self, metered: Metered) -> Outcome:
        if self._status is not None and self._status >= 400:
            return "upstream_error"
        if self._gone:
            return "client_disconnected"
        return "complete" if metered.whole else "truncated"

    async def _end(self, outcome: Outcome) -> None:
        """Record what did not end well; whoever called has been told, or is gone."""
        try:
            await self._settle(outcome)
        except Exception as error:
            facts = {"request_id": self._request_id, "project": self._admission.project}
            log.error("a call was not recorded", exc_info=error, extra=facts)

    def _feed(self, piece: bytes) -> bool:
        """Let the meter read along. Its mistakes are no reason to keep an answer back."""
        try:
            return self._meter is not None and self._meter.feed(piece)
        except Exception as error:
            self._mistaken(error)
            return False

    def _metered(self) -> Metered:
        try:
            return Metered() if self._meter is None else self._meter.result()
        except Exception as error:
            self._mistaken(error)
            return Metered()

    def _mistaken(self, error: Exception) -> None:
        self._meter = None
        facts = {"request_id": self._request_id, "endpoint": self._call.endpoint}
        log.error("an answer could not be metered", exc_info=error, extra=facts)

    async def _settle(self, outcome: Outcome) -> None:
        """Commit the attempt's record, once. Raises TotalsOverflow, Overloaded, StoreUnavailable.

        The time until then is the latency, as who waits for the last byte sees it.
        """
        call = self._call
        if self._settled or not is_recorded(call.method, call.model):
            return
        self._settled = True
        await self._parts.record(
            Attempt(
                project=self._admission.project,
                token_id=self._admission.token_id,
                provider=call.provider.name,
                method=call.method,
                endpoint=call.endpoint,
                model=call.model,
                status=self._status,
                outcome=outcome,
                metered=self._metered(),
                latency_ms=round((self._loop.time() - self._began) * 1000),
                request_id=self._request_id,
            )
        )

    def _judge(self, works: bool | None) -> None:
        """Tell the breaker, once."""
        if not self._told:
            self._told = True
            project, provider = self._admission.project, self._call.provider.name
            self._parts.breaker.leave(project, provider, works)

    def _asked(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> Asked:
        types = [value for name, value in headers if name == b"content-type"]
        media_type = types[-1].decode("latin-1").partition(";")[0].strip().lower() if types else ""
        return Asked(
            provider=self._call.provider.name,
            method=self._call.method,
            endpoint=self._call.endpoint,
            model=self._call.model,
            status=status,
            media_type=media_type,
        )


class _Drained(Exception):
    """As much was read for a caller who is gone as the bounds allow."""


def _length(headers: Sequence[tuple[bytes, bytes]]) -> int | None:
    """Return the body's announced length in bytes; the client library has checked it."""
    for name, value in headers:
        if name == b"content-length":
            return int(value)
    return None
