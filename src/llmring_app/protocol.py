"""What stands between a socket and the application: limits, deadlines, answers in one piece.

uvicorn's HTTP/1.1, on httptools, leaves all of it to a proxy in front. Whoever has none is guarded
here; nothing of it costs anything for a request that is small and comes at once.
"""

import logging
from asyncio import AbstractEventLoop, BaseProtocol, TimerHandle, Transport
from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from llmring_adapters.system import time_ordered_id
from llmring_http.gateway.connection import LENT
from llmring_http.problems import bare_answer

LINGER_S: Final = 2.0  # what still comes is read for so long: else its sender never sees the answer

log = logging.getLogger("llmring")


class Limits(Struct, frozen=True, kw_only=True):
    """How much of a request is taken before it is refused, and how slowly."""

    target_bytes: int = 8 * 1024  # the request line's address
    header_bytes: int = 16 * 1024  # each
    head_bytes: int = 64 * 1024  # all headers
    headers: int = 100
    head_s: float = 15  # for the whole head, from the first byte of the connection on
    body_s: float = 30  # in each such time
    body_bytes: int = 30 * 1024  # so much of a body must come


class Refused(Exception):
    """The request breaks a rule of HTTP, or a limit."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class JoiningTransport(Transport):
    """Writes an answer's head together with its body, and closes without losing them.

    The server writes one after the other, and each write is a system call: together they were a
    quarter of what a logged call costs.
    """

    def __init__(
        self, transport: Transport, loop: AbstractEventLoop, is_receiving: Callable[[], bool]
    ) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._is_receiving = is_receiving  # whether the caller may still be sending
        self._held = b""
        self._lingering = False

    def write(self, data: Any) -> None:
        if self._held:
            self._held += data
            self._release()
        elif data:
            self._held = bytes(data)
            self._loop.call_soon(self._release)

    def _release(self) -> None:
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():  # its caller may have left meanwhile
            self._transport.write(held)

    def close(self) -> None:
        """Close; where the caller is still sending, once it stops or has had time to read."""
        self._release()
        if self._lingering or self._transport.is_closing():
            return
        if not self._is_receiving() or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._lingering = True
        self._transport.write_eof()
        self._transport.resume_reading()
        self._loop.call_later(LINGER_S, self._transport.close)

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._lingering or self._transport.is_closing()

    def is_reading(self) -> bool:
        return self._transport.is_reading()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def set_protocol(self, protocol: BaseProtocol) -> None:
        self._transport.set_protocol(protocol)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)


class GuardedProtocol(HttpToolsProtocol):
    """HTTP/1.1 with limits. ``limits`` comes first, for ``partial``; the rest is uvicorn's."""

    def __init__(self, limits: Limits, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._timer: TimerHandle | None = None  # of the head or the body that is being received
        self._received = 0  # bytes: of the head, then of the body since the timer started
        self._in_head = True
        self._in_body = False
        self._refusal: Refused | None = None
        self._is_lost = False
        self._then: Callable[[], None] | None = None  # once it is lost

    def _is_receiving(self) -> bool:
        """Return whether more of a request may be on its way."""
        return self._in_body or self._received > 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(JoiningTransport(transport, self.loop, self._is_receiving))
        self._timer = self.loop.call_later(self._limits.head_s, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._is_lost = True
        super().connection_lost(exc)
        if self._then is not None:
            self._then()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return  # answered and refused; read only so that the answer arrives
        self._received += len(data)
        super().data_received(data)
        if self._in_head:
            if self._received > self._limits.head_bytes + self._limits.target_bytes:
                self._refuse(Refused(431, "the request's headers are too large"))
            elif self._received and self._timer is None:
                self._timer = self.loop.call_later(self._limits.head_s, self._head_is_late)
        elif self._in_body and self._timer is None:
            self._received = 0
            self._timer = self.loop.call_later(self._limits.body_s, self._body_is_due)

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        limits, headers = self._limits, self.headers
        if len([None for name, _ in headers if name == b"host"]) != 1:
            raise self._refused(400, "the request must have exactly one Host header")
        if len(headers) > limits.headers:
            raise self._refused(431, f"the request must have at most {limits.headers} headers")
        if self._received > limits.target_bytes:  # else nothing in it can be too large
            self._check_sizes()
        self._stop_timer()
        self._in_head, self._in_body = False, True
        self.scope["extensions"] = {LENT: {"connection": self}}
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._stop_timer()
        self._in_body, self._in_head, self._received = False, True, 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn says the same always
        """Answer what the parser stumbled over: our own refusal, or its own."""
        self._refuse(self._refusal or Refused(400, "this is not a well-formed HTTP/1.1 request"))

    def cut(self, at_once: bool) -> None:
        """Leave the answer under way unfinished: after what was written, or without it."""
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if at_once:
            self.transport.abort()
        else:
            self.transport.close()

    def is_paused(self) -> bool:
        return self.flow.write_paused

    def on_left(self, then: Callable[[], None] | None) -> None:
        self._then = then
        if then is not None and self._is_lost:
            then()

    def _check_sizes(self) -> None:
        limits = self._limits
        if len(self.url) > limits.target_bytes:
            raise self._refused(414, f"the address must have at most {limits.target_bytes} bytes")
        sizes = [len(name) + len(value) for name, value in self.headers]
        if max(sizes) > limits.header_bytes:
            raise self._refused(431, f"a header must have at most {limits.header_bytes} bytes")
        if sum(sizes) > limits.head_bytes:
            raise self._refused(431, f"all headers must have at most {limits.head_bytes} bytes")

    def _head_is_late(self) -> None:
        self._timer = None
        if self._received:
            self._refuse(Refused(408, "the request's headers took too long"))
        else:  # nobody asked for anything
            self.transport.close()

    def _body_is_due(self) -> None:
        self._timer = None
        if self.flow.read_paused or self._received >= self._limits.body_bytes:
            self._received = 0
            self._timer = self.loop.call_later(self._limits.body_s, self._body_is_due)
            return
        self._refuse(Refused(408, "the request's body took too long"))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refused(self, status: int, detail: str) -> Refused:
        """Keep the refusal: the parser swallows what its callbacks raise."""
        self._refusal = Refused(status, detail)
        return self._refusal

    def _refuse(self, refusal: Refused) -> None:
        """Answer and close; only close where an answer has been begun or given already."""
        self._stop_timer()
        if self.transport.is_closing():
            return
        log.info("refused a request: %s %s", refusal.status, refusal)
        under_way = self.cycle is not None and not self.cycle.response_complete
        answered = self.cycle.response_started if under_way else self._in_body
        if not answered:
            self.transport.write(bare_answer(refusal.status, str(refusal), time_ordered_id()))
        if under_way:  # it hears that its caller is gone
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()
