"""``/v1/*``: calls to providers, let through as they are.

Beside the framework, like logging a call: its handlers would read bodies whole, and cost as much as
everything else that is done here.
"""

import logging
from asyncio import FIRST_COMPLETED, Event, create_task, gather, wait
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import cast

from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from llmring_core.errors import Forbidden, LLMRingError, Unauthenticated
from llmring_core.gateway import Admission
from llmring_core.gateway.auditing import PROXY_REQUEST, Deed
from llmring_core.gateway.forwarding import (
    Body,
    Call,
    Head,
    NotAdmitted,
    Provider,
    Route,
    answer_headers,
    opened,
    preflight,
    presented_secret,
    storable,
)
from llmring_http.gateway.cutting import cut
from llmring_http.gateway.parts import Forwarding
from llmring_http.gateway.passage import About
from llmring_http.gateway.planning import Received, Wanted, aside_if_large, looked_at, meant
from llmring_http.gateway.refusals import PROXY, UpgradeRefused, refuse
from llmring_http.gateway.relay import Relay
from llmring_http.gateway.telling import Told
from llmring_http.guard import Busy, EncodedBody
from llmring_http.origins import origin_in
from llmring_http.requests import BodyTooLarge, read_body

PREFIX = "/v1/"
TEMPLATE = "/v1/*"  # what measures and the log call all of them
CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"x-goog-api-key"})

Fields = Mapping[bytes, bytes]

log = logging.getLogger("llmring")


class Proxy:
    """The gateway's own application, and the calls under way in it."""

    def __init__(self, parts: Forwarding) -> None:
        self._parts = parts
        self._in_flight = 0
        self._relays: set[Relay] = set()

    @property
    def max_body_bytes(self) -> int:
        return self._parts.max_body_bytes

    async def close(self) -> None:
        """Return when every call under way has ended and is recorded."""
        for relay in self._relays:
            relay.task.cancel()
        await gather(*[relay.task for relay in self._relays], return_exceptions=True)

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
        exchange = _Exchange(self._parts, head, pairs, scope, receive, told.listening(send), told)
        if self._in_flight >= self._parts.max_in_flight:
            busy = Busy("this server is making all the calls it can; repeat yours shortly")
            await exchange.refuse(busy)
            told.publish()
            return
        self._in_flight += 1
        relay: Relay | None = None
        try:
            relay = await exchange.begun()
            if relay is not None:
                self._relays.add(relay)
                relay.task.add_done_callback(lambda _: self._relays.discard(relay))
                await exchange.followed(relay)
        except Exception as error:
            if not isinstance(error, LLMRingError | HTTPException):
                log.error("unexpected error", exc_info=error, extra=scope["state"])
            await exchange.refuse(error)
            if isinstance(error, Unauthenticated | Forbidden):
                await self._parts.record_refusal(
                    Deed(action=PROXY_REQUEST, outcome="denied", reason=str(error)),
                    origin_in(scope, "anonymous", exchange.endpoint),
                )
        finally:
            self._in_flight -= 1
            if relay is None or relay.task.done():
                told.publish()
            else:  # its caller is gone
                relay.task.add_done_callback(lambda _: told.publish())


class _Exchange:
    """One request, until it is answered or its caller is gone."""

    def __init__(
        self,
        parts: Forwarding,
        head: Head,
        pairs: list[tuple[bytes, bytes]],
        scope: Scope,
        receive: Receive,
        send: Send,
        told: Told,
    ) -> None:
        self._parts = parts
        self._head = head
        self._pairs = pairs
        self._scope = scope
        self._receive = receive
        self._send = send
        self._told = told
        self._request_id = cast(str, scope["state"]["request_id"])
        self._route: Route | None = None
        self._uploaded = Event()
        self._failure: Exception | None = None  # of the request's own body

    @property
    def endpoint(self) -> str:
        """What is called, as far as it is one of a provider's endpoints."""
        return TEMPLATE if self._route is None else self._route.endpoint

    async def begun(self) -> Relay | None:
        """Return the call once it is under way; None when it was answered here.

        Raises every error a caller is to see.
        """
        parts, head, fields = self._parts, self._head, self._head.headers
        self._route = route = opened(parts.providers, head)
        if head.method == "OPTIONS":
            await self._answer_preflight(route)
            return None
        _check_framing(fields)
        self._secret(*route.candidates)  # before any body is read for nobody
        body = await read_body(self._receive) if _is_json(fields) else None
        wanted = await aside_if_large(body, partial(looked_at, route, head, body))
        self._told.call = wanted.call
        self._told.asked(body or b"")
        admission = await parts.recognise(self._secret(wanted.call.provider))
        self._note(admission, wanted.call)
        received, first = await meant(parts, self._received(route, wanted, body), admission)
        self._note(admission, first.call)
        about = About(
            request_id=self._request_id,
            told=self._told,
            headers=answer_headers(first.call.provider, fields),
        )
        return Relay(parts, received, first, admission, about, self._send)

    async def followed(self, relay: Relay) -> None:
        """Return when the answer is given, or its caller gone. Raises why it was not begun."""
        gone = create_task(self._gone())
        try:
            await wait((relay.task, gone), return_when=FIRST_COMPLETED)
        finally:
            gone.cancel()
            relay.leave()  # unless it is done; also when the server stops
        if not relay.task.done():
            return  # the caller is gone
        problem, listener = relay.task.result(), relay.listener
        if problem is not None and not listener.has_started:
            raise self._failure or problem
        if problem is not None or listener.is_stuck:
            cut(self._scope, at_once=listener.is_stuck)

    async def refuse(self, error: Exception) -> None:
        route = self._route
        provider = None if route is None else route.candidates[0]
        headers = answer_headers(provider, self._head.headers)
        path = self._scope["path"] if route is None else route.endpoint
        await refuse(self._send, error, path, self._request_id, headers)

    def _note(self, admission: Admission, call: Call) -> None:
        """Keep what is known of the call by now for its event and the log."""
        self._told.admission, self._told.call = admission, call
        self._scope["state"] |= {
            "project": admission.project,
            "token_id": admission.token,
            "provider": call.provider.name,
            "model": storable(call.model),
        }

    def _secret(self, *candidates: Provider) -> str:
        """Return the token, sent as one of ``candidates`` has it. Raises NotAdmitted."""
        names = [name for name, _ in self._pairs if name in CREDENTIALS]
        if len(names) != len(set(names)):
            raise NotAdmitted("a credential must be sent once")
        for provider in candidates:
            secret = presented_secret(self._head.headers, provider.credential)
            if secret is not None:
                return secret
        raise NotAdmitted

    def _received(self, route: Route, wanted: Wanted, body: bytes | None) -> Received:
        announced = self._head.headers.get(b"content-length")
        upload: Body = b""
        if body is None and (announced not in (None, b"0") or _is_chunked(self._head.headers)):
            upload = self._upload()
        else:
            self._uploaded.set()
        return Received(
            head=self._head,
            pairs=self._pairs,
            route=route,
            wanted=wanted,
            body=body,
            upload=upload,
            length=None if announced is None else int(announced),
            request_id=self._request_id,
        )

    async def _upload(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes."""
        try:
            more = True
            while more:
                message = await self._receive()
                if message["type"] != "http.request":
                    raise ConnectionResetError("the caller is gone")
                if message["body"]:
                    self._told.asked(message["body"])
                    yield message["body"]
                more = message["more_body"]
        except BodyTooLarge as error:
            self._failure = error
            raise
        finally:
            self._uploaded.set()

    async def _gone(self) -> None:
        """Return when the caller is gone; never while its body is too large to be read on."""
        await self._uploaded.wait()
        with suppress(BodyTooLarge):
            while (await self._receive())["type"] != "http.disconnect":
                pass
            return
        await Event().wait()

    async def _answer_preflight(self, route: Route) -> None:
        headers = [*preflight(route.candidates[0], self._head.headers), PROXY]
        await self._send({"type": "http.response.start", "status": 204, "headers": headers})
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def with_gateway(app: ASGIApp, proxy: Callable[[Scope, Receive, Send], Awaitable[None]]) -> ASGIApp:
    """Hand ``/v1/*`` to ``proxy``, everything else to ``app``."""

    async def choose(scope: Scope, receive: Receive, send: Send) -> None:
        is_call = scope["type"] == ScopeType.HTTP and scope["path"].startswith(PREFIX)
        await (proxy if is_call else app)(scope, receive, send)

    return choose


def _check_framing(fields: Fields) -> None:
    """Raises UpgradeRefused, EncodedBody: what is inside could not be looked at."""
    if fields.get(b"upgrade", b"").strip().lower() == b"websocket":
        raise UpgradeRefused
    if fields.get(b"content-encoding", b"identity").strip().lower() not in (b"", b"identity"):
        raise EncodedBody


def _is_json(fields: Fields) -> bool:
    """Return whether a JSON body comes."""
    media_type = fields.get(b"content-type", b"").partition(b";")[0].strip().lower()
    has_body = fields.get(b"content-length", b"0") != b"0" or _is_chunked(fields)
    return has_body and (media_type == b"application/json" or media_type.endswith(b"+json"))


def _is_chunked(fields: Fields) -> bool:
    return b"transfer-encoding" in fields
