"""``/v1/*``: calls to providers, let through as they are.

Beside the framework, like logging a call: its handlers would read bodies whole, and cost as much as
everything else that is done here.
"""

import logging
from asyncio import Event
from collections.abc import Awaitable, Callable
from typing import cast

from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from llmring_core.errors import Forbidden, LLMRingError, Unauthenticated
from llmring_core.gateway.auditing import PROXY_REQUEST, Deed
from llmring_core.gateway.forwarding import Head
from llmring_http.gateway.exchange import TEMPLATE, Exchange
from llmring_http.gateway.parts import Forwarding
from llmring_http.gateway.relay import Relay
from llmring_http.gateway.telling import Told
from llmring_http.guard import Busy
from llmring_http.origins import origin_in

PREFIX = "/v1/"

log = logging.getLogger("llmring")


class Proxy:
    """The gateway's own application, and the calls under way in it."""

    def __init__(self, parts: Forwarding) -> None:
        self._parts = parts
        self._in_flight = 0
        self._relays: set[Relay] = set()
        self._idle = Event()  # set when the last of them has ended

    @property
    def max_body_bytes(self) -> int:
        return self._parts.max_body_bytes

    async def close(self) -> None:
        """Return when every call under way has ended and is recorded."""
        for relay in self._relays:
            relay.stop()
        if self._relays:
            await self._idle.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["path_template"] = TEMPLATE
        request = cast(HTTPScope, scope)
        pairs = cast(list[tuple[bytes, bytes]], request["headers"])
        head = Head(
            method=request["method"],
            raw_path=request.get("raw_path") or request["path"].encode(),
            query=request["query_string"],
            headers=dict(pairs),
        )
        request_id = cast(str, scope["state"]["request_id"])
        told = Told(self._parts.telling, head.method, request["path"], request_id)
        exchange = Exchange(self._parts, head, pairs, scope, receive, told.listening(send), told)
        if self._in_flight >= self._parts.max_in_flight:
            busy = Busy("this server is making all the calls it can; repeat yours shortly")
            await exchange.refuse(busy)
            told.publish()
            return
        self._in_flight += 1
        try:
            relay = await exchange.begun()
            if relay is not None:
                await self._follow(exchange, relay)
        except Exception as error:
            await self._refuse(error, exchange, scope)
        finally:
            self._in_flight -= 1
            told.publish()

    async def _follow(self, exchange: Exchange, relay: Relay) -> None:
        self._relays.add(relay)
        self._idle.clear()
        try:
            await exchange.followed(relay)
        finally:
            self._relays.discard(relay)
            if not self._relays:
                self._idle.set()

    async def _refuse(self, error: Exception, exchange: Exchange, scope: Scope) -> None:
        if not isinstance(error, LLMRingError | HTTPException):
            log.error("unexpected error", exc_info=error, extra=scope["state"])
        await exchange.refuse(error)
        if isinstance(error, Unauthenticated | Forbidden):
            await self._parts.record_refusal(
                Deed(action=PROXY_REQUEST, outcome="denied", reason=str(error)),
                origin_in(scope, "anonymous", exchange.endpoint),
            )


def with_gateway(app: ASGIApp, proxy: Callable[[Scope, Receive, Send], Awaitable[None]]) -> ASGIApp:
    """Hand ``/v1/*`` to ``proxy``, everything else to ``app``."""

    async def choose(scope: Scope, receive: Receive, send: Send) -> None:
        is_call = scope["type"] == ScopeType.HTTP and scope["path"].startswith(PREFIX)
        await (proxy if is_call else app)(scope, receive, send)

    return choose
