"""One provider's answer on its way to whoever called."""

import logging
from asyncio import CancelledError, Task, create_task, gather, get_running_loop, sleep
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import time_ns

from llmring_core.errors import LLMRingError, Overloaded
from llmring_core.gateway.attempting import AttemptUnderWay
from llmring_core.gateway.forwarding import (
    FAILING,
    MOVING_ON,
    CircuitOpen,
    Metered,
    Outcome,
    UpstreamAnswer,
    UpstreamBroken,
    UpstreamBusy,
    UpstreamFailed,
    to_client,
)
from llmring_core.usage import UsageRecord
from llmring_http.gateway.caching import Tape
from llmring_http.gateway.listener import Drained, Listener
from llmring_http.gateway.parts import Forwarding
from llmring_http.gateway.planning import Planned
from llmring_http.gateway.refusals import PROXY, error_event
from llmring_http.gateway.showing import Shown
from llmring_http.gateway.stamps import stamps
from llmring_http.gateway.telling import NANOS, Told

EVENTS = "text/event-stream"
PATIENCE_S = (0.1, 0.5, 1.0, 2.0, 4.0)

Pair = tuple[bytes, bytes]

log = logging.getLogger("llmring")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What every answer to a call says of it."""

    request_id: str
    told: Told
    headers: Sequence[Pair]


class MovesOn(Exception):
    """The provider failed in a way that another one may not; nothing of it was passed on."""


class Passage:
    """Asks, reads, meters and passes on; has the record committed before the last bytes leave."""

    def __init__(
        self,
        parts: Forwarding,
        attempt: AttemptUnderWay,
        planned: Planned,
        listener: Listener,
        about: About,
        tape: Tape,
        is_last: bool,
    ) -> None:
        self._parts = parts
        self._attempt = attempt
        self._planned = planned
        self._listener = listener
        self._about = about
        self._tape = tape
        self._is_last = is_last  # of those that may be asked
        self._time = get_running_loop().time
        self._began = self._time()
        self._asked_ns = time_ns()
        self._answered_ns = self._asked_ns
        self._is_stream = False
        self._has_ended = False  # as its dialect has it
        self._recorded: UsageRecord | None = None
        self._shown = Shown(hides_usage=False)
        self._written: Task[None] | None = None

    async def made(self) -> Exception | None:
        """Return why the caller did not get the whole answer. Raises MovesOn."""
        try:
            await self._attempt.enter()
        except CircuitOpen as error:
            if not self._is_last:
                raise MovesOn from error
            return error
        except LLMRingError as error:
            return error
        self._written = create_task(self._attempt.write_down())  # while the provider thinks
        try:
            return await self._asked()
        finally:
            self._attempt.leave()

    async def _asked(self) -> Exception | None:
        answer: UpstreamAnswer | None = None
        try:
            answer = await self._parts.upstream.ask(self._planned.request)
            self._answered_ns = time_ns()
            self._attempt.leave(works=answer.status not in FAILING)
            await self._written_down()
            await self._pass_on(answer)
        except UpstreamBusy as error:
            await self._attempt.cancel()
            return self._moving_on(error)
        except UpstreamFailed as error:
            if self._was_left_sending:
                await self._end("client_disconnected")
                return error
            self._attempt.leave(works=False)
            await self._end("upstream_error" if answer is None else "truncated")
            await self._tell(error)
            return self._moving_on(error)
        except LLMRingError as error:  # what has to be committed could not be
            await self._tell(error)
            return error
        except (CancelledError, Drained):
            await self._end("client_disconnected")
        except MovesOn:
            raise
        except Exception as error:
            if self._listener.has_started or self._listener.is_gone:  # else who answers logs it
                self._log("unexpected error", error)
            await self._end("unknown")
            return error
        finally:
            if answer is not None:
                answer.close()
        return None

    @property
    def _was_left_sending(self) -> bool:
        """Whether the caller left before its own body was passed on, which broke the call."""
        return self._listener.is_gone and not self._planned.is_repeatable

    async def _pass_on(self, answer: UpstreamAnswer) -> None:
        """Raises UpstreamBroken, UpstreamTimeout, Drained, and what a record may raise."""
        received = to_client(answer.headers, answer.status)
        media_type = _media_type(received)
        is_encoded = _is_encoded(received)
        self._attempt.answered(answer.status, media_type, is_encoded=is_encoded)
        if not self._is_last and self._planned.is_repeatable and answer.status in MOVING_ON:
            await self._settle("upstream_error")
            raise MovesOn
        self._is_stream = answer.status == 200 and media_type == EVENTS and not is_encoded
        self._shown = Shown(hides_usage=self._planned.hides_usage and self._is_stream)
        headers = self._shown.headers(received)
        length = _length(headers)
        kept = self._tape.begin(self._planned.call.provider.name, answer, headers)
        start = [*headers, *kept, *self._our_headers()]
        if length is None:  # who waits for a stream learns at once that it comes
            await self._listener.start(answer.status, start)
        count = 0
        while piece := await self._read(answer):
            count += len(piece)
            ends = self._attempt.feed(piece)
            self._has_ended = self._has_ended or ends
            if ends or count == length:
                await self._settle(self._usual(self._attempt.metered))
            if not self._listener.has_started:
                await self._listener.start(answer.status, start)
            await self._give(self._shown.piece(piece), more=count != length)
            if count == length:
                break
        metered = self._attempt.metered
        await self._settle(self._usual(metered))
        if not self._listener.has_started:
            await self._listener.start(answer.status, start)
        await self._give(self._shown.rest(), more=True)
        if not metered.whole:
            raise UpstreamBroken
        if count == 0 or count != length:
            await self._listener.give(b"", more=False)
        await self._tape.end(self._recorded, has_ended=self._has_ended, has_failed=metered.failed)

    async def _give(self, piece: bytes, *, more: bool) -> None:
        """Raises Drained."""
        self._tape.feed(piece)
        await self._listener.give(piece, more=more)

    async def _read(self, answer: UpstreamAnswer) -> bytes:
        """Return what came, empty at the end. Raises UpstreamBroken, UpstreamTimeout."""
        try:
            return await answer.read()
        except UpstreamFailed:
            await self._listener.give(self._shown.rest(), more=True)
            raise

    async def _tell(self, error: LLMRingError) -> None:
        """Tell a stream's reader what happened, where it would not read it as part of a frame."""
        started = self._listener.has_started and self._is_stream
        if started and self._shown.is_between_frames and not self._attempt.metered.whole:
            endpoint = self._planned.call.endpoint
            event = error_event(error, endpoint, self._about.request_id)
            with suppress(Drained):
                await self._listener.give(event, more=True)

    def _moving_on(self, error: Exception) -> Exception:
        """Return ``error``. Raises MovesOn where another provider may still be asked."""
        if self._is_last or self._listener.has_started or not self._planned.is_repeatable:
            return error
        raise MovesOn from error

    async def _written_down(self) -> None:
        """Return once a crash could not hide the attempt. Raises Overloaded, StoreUnavailable."""
        if self._written is not None:
            await self._written

    def _usual(self, metered: Metered) -> Outcome:
        status = self._attempt.status
        if status is not None and status >= 400:
            return "upstream_error"
        if self._listener.is_gone:
            return "client_disconnected"
        return "complete" if metered.whole else "truncated"

    async def _settle(self, outcome: Outcome) -> None:
        """Commit the record. Raises TotalsOverflow, Overloaded, StoreUnavailable.

        The time until then is the latency, as who waits for the last byte sees it.
        """
        took_s = self._time() - self._began
        try:
            record = await self._record(outcome, round(took_s * 1000))
        finally:
            if self._attempt.mistake is not None:
                self._log("an answer could not be metered", self._attempt.mistake)
                self._attempt.mistake = None
        if record is not None:
            self._about.told.record = self._recorded = record
            self._measure(record, took_s)

    async def _record(self, outcome: Outcome, latency_ms: int) -> UsageRecord | None:
        """Commit the record; a server that is overloaded is tried again, as the call was made."""
        for pause_s in PATIENCE_S:
            try:
                return await self._attempt.record(outcome, latency_ms)
            except Overloaded:
                await sleep(pause_s)
        return await self._attempt.record(outcome, latency_ms)

    def _measure(self, record: UsageRecord, took_s: float) -> None:
        has_head = self._attempt.status is not None
        self._parts.telling.measures.attempted(
            record.provider,
            record.attempt_status,
            tokens=record.tokens,
            cost_usd=record.cost_usd,
            first_byte_s=(self._answered_ns - self._asked_ns) / NANOS if has_head else None,
            duration_s=took_s,
        )

    async def _end(self, outcome: Outcome) -> None:
        """Record what did not end well; whoever called has been told, or is gone."""
        try:
            if self._written is not None:
                await gather(self._written, return_exceptions=True)
            await self._settle(outcome)
        except Exception as error:
            self._log("a call was not recorded", error)

    def _our_headers(self) -> list[Pair]:
        times = stamps(self._about.told.received_ns, self._answered_ns, self._asked_ns)
        return [*self._about.headers, PROXY, *times]

    def _log(self, what: str, error: Exception) -> None:
        facts = {"request_id": self._about.request_id, "endpoint": self._planned.call.endpoint}
        log.error(what, exc_info=error, extra=facts)


def _media_type(headers: Sequence[Pair]) -> str:
    types = [value for name, value in headers if name == b"content-type"]
    return types[-1].decode("latin-1").partition(";")[0].strip().lower() if types else ""


def _is_encoded(headers: Sequence[Pair]) -> bool:
    found = [value for name, value in headers if name == b"content-encoding"]
    return any(value.strip().lower() not in (b"", b"identity") for value in found)


def _length(headers: Sequence[Pair]) -> int | None:
    """Return the body's announced length in bytes; the client library has checked it."""
    for name, value in headers:
        if name == b"content-length":
            return int(value)
    return None
