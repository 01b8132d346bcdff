"""``GET /metrics``: what was counted, for whoever runs the server and nobody else."""

from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest
from ipaddress import IPv6Address, ip_address, ip_network
from typing import cast

from litestar import asgi
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.handlers import ASGIRouteHandler
from litestar.types import HTTPScope, Receive, Scope, Send
from msgspec import Struct, json

from llmring_core.errors import Unauthenticated
from llmring_http.requests import SentHeaders, headers_of

PATH = "/metrics"
TEXT_PATH = "/metrics/prometheus"
TEXT, JSON = "text/plain", "application/json"
TYPES = {TEXT: b"text/plain; version=0.0.4; charset=utf-8", JSON: b"application/json"}
# This machine and private networks; Python's is_private means more, and not always the same.
NEAR = tuple(
    ip_network(network)
    for network in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
    )
)
# A proxy is near, whoever it speaks for.
PROXIED = (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via")


class WrongMetricsToken(Unauthenticated):
    """The metrics are for whoever has their token."""

    code = "metrics.wrong-token"


class Figures(Struct, frozen=True, kw_only=True):
    """A few figures of the gateway, by the names that other gateways have for them."""

    uptime_seconds: float
    request_count: int  # answers at /v1
    error_count: int  # of these, those with a status from 400 on
    cache_hits: int
    cache_misses: int
    cache_bypass: int
    cache_stores: int


@dataclass(frozen=True, slots=True)
class Metrics:
    """Makes what is shown when somebody asks."""

    text: Callable[[], bytes]  # Prometheus text
    figures: Callable[[], Figures]

    def shown(self, media_type: str) -> bytes:
        return self.text() if media_type == TEXT else json.encode(self.figures())


def metrics_routes(metrics: Metrics, token: str | None) -> list[ASGIRouteHandler]:
    """Return the routes; without a token, they are there for callers of this network only."""

    @asgi(PATH, copy_scope=False)
    async def chosen(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001  # ASGI
        await show(scope, send, _preferred(headers_of(scope).get(b"accept") or ""))

    @asgi(TEXT_PATH, copy_scope=False)
    async def text(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001  # ASGI
        await show(scope, send, TEXT)

    async def show(scope: Scope, send: Send, media_type: str) -> None:
        _check(cast(HTTPScope, scope), token)
        body = metrics.shown(media_type)
        head = [(b"content-type", TYPES[media_type]), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return [chosen, text]


def _preferred(accept: str) -> str:
    """Return which of our media types is named first; text when none is."""
    named = (one.partition(";")[0].strip().lower() for one in accept.split(","))
    return next((one for one in named if one in TYPES), TEXT)


def _check(scope: HTTPScope, token: str | None) -> None:
    """Raises WrongMetricsToken; NotFoundException, as if there were no metrics."""
    headers = headers_of(scope)
    if token is not None:
        sent = (headers.get(b"authorization") or "").encode()
        if not compare_digest(sent, f"Bearer {token}".encode()):
            raise WrongMetricsToken("send Authorization: Bearer and LLMRING_METRICS_TOKEN")
    elif not _is_near(scope, headers):
        raise NotFoundException
    if scope["method"] != "GET":
        raise MethodNotAllowedException(headers={"Allow": "GET, OPTIONS"})


def _is_near(scope: HTTPScope, headers: SentHeaders) -> bool:
    """Tell whether the caller connects by itself, from this machine or a private network."""
    if scope["client"] is None or any(headers.get(name) for name in PROXIED):
        return False
    try:
        address = ip_address(scope["client"][0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in NEAR)
