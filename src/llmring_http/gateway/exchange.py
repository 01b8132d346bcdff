"""One request at ``/v1/*``: what is asked of it in its order, until it is on its way."""

from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import cast

from litestar.types import Receive, Scope, Send

from llmring_core.gateway import Admission
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
from llmring_http.gateway.connection import connection_of
from llmring_http.gateway.parts import Forwarding
from llmring_http.gateway.passage import About
from llmring_http.gateway.planning import Received, Wanted, aside_if_large, looked_at, meant
from llmring_http.gateway.refusals import PROXY, UpgradeRefused, refuse
from llmring_http.gateway.relay import Relay
from llmring_http.gateway.telling import Told
from llmring_http.guard import EncodedBody
from llmring_http.requests import BodyTooLarge, read_body

TEMPLATE = "/v1/*"  # what measures and the log call all of them
CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"x-goog-api-key"})

Fields = Mapping[bytes, bytes]


class Exchange:
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
        self._connection = connection_of(scope)
        self._told = told
        self._request_id = cast(str, scope["state"]["request_id"])
        self._route: Route | None = None
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
        return Relay(parts, received, first, admission, about, self._send, self._connection)

    async def followed(self, relay: Relay) -> None:
        """Return when the answer is given, or read to its end. Raises why it was not begun."""
        problem, listener = await relay.run(), relay.listener
        if listener.is_stuck:
            self._connection.cut(at_once=True)
        elif listener.is_gone or problem is None:
            return
        elif listener.has_started:
            self._connection.cut(at_once=False)
        else:
            raise self._failure or problem

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

    async def _answer_preflight(self, route: Route) -> None:
        headers = [*preflight(route.candidates[0], self._head.headers), PROXY]
        await self._send({"type": "http.response.start", "status": 204, "headers": headers})
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


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
