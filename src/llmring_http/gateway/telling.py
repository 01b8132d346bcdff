"""What is told of a call once it is over: counted always, and to whoever listens, its event."""

from dataclasses import dataclass
from datetime import UTC, datetime
from time import time_ns
from typing import Any, Final

from litestar.types import Message, Send

from llmring_core.gateway import Admission
from llmring_core.gateway.caching import Standing
from llmring_core.gateway.events import CallEvent, EventBus, Excerpt, ExcerptLimits
from llmring_core.gateway.forwarding import Call, storable
from llmring_core.gateway.measuring import GatewayMeasures
from llmring_core.usage import UsageRecord

NANOS: Final = 10**9  # in a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """To whom calls are told, and how much of them."""

    bus: EventBus
    limits: ExcerptLimits
    measures: GatewayMeasures


class Told:
    """One call, as far as it is known yet."""

    def __init__(self, telling: Telling, method: str, path: str, request_id: str) -> None:
        self._telling = telling
        self._method = method
        self._path = path
        self._request_id = request_id
        self._is_heard = telling.bus.is_heard
        self._status = 0
        self._headers: tuple[tuple[bytes, bytes], ...] = ()
        self._asked = Excerpt(telling.limits.request_bytes)
        self._answered = Excerpt(telling.limits.response_bytes)
        self.received_ns = time_ns()  # since 1970
        self.admission: Admission | None = None
        self.call: Call | None = None
        self.record: UsageRecord | None = None  # of the last attempt, or of the cache's answer
        self.cache: Standing | None = None  # None: the cache was not asked

    def listening(self, send: Send) -> Send:
        """Return ``send``, listened to."""

        async def heard(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._status = message["status"]
                self._headers = tuple(message["headers"]) if self._is_heard else ()
            elif self._is_heard and message["type"] == "http.response.body":
                self._answered.feed(message["body"])
            await send(message)

        return heard

    def asked(self, piece: bytes) -> None:
        """Take note of a piece of the call's own body."""
        if self._is_heard:
            self._asked.feed(piece)

    def publish(self) -> None:
        """Count the call, which is over, and tell of it."""
        self._telling.measures.answered(self._status)
        if self._is_heard:
            self._telling.bus.publish(self._event())

    def _event(self) -> CallEvent:
        admission, call, record = self.admission, self.call, self.record
        return CallEvent(
            at=datetime.fromtimestamp(self.received_ns / NANOS, UTC),
            request_id=self._request_id,
            method=self._method,
            path=self._path,
            status=self._status,
            duration_ns=time_ns() - self.received_ns,
            response_headers=self._headers,
            request_body=self._asked.taken(),
            is_request_truncated=self._asked.is_truncated,
            response_body=self._answered.taken(),
            is_response_truncated=self._answered.is_truncated,
            project=None if admission is None else admission.project,
            token_id=None if admission is None else admission.token,
            model=None if call is None else storable(call.model),
            cache=self.cache,
            **_used(record),
        )


def _used(record: UsageRecord | None) -> dict[str, Any]:
    if record is None:
        return {}
    return {
        "provider": record.provider,
        "tokens": record.tokens,
        "usage_source": record.usage_source,
        "cost_usd": record.cost_usd,
        "outcome": record.attempt_status,
    }
