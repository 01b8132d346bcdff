"""``GET /metrics``: Prometheus text, for whoever runs the server and nobody else."""

from collections.abc import Callable
from hmac import compare_digest
from ipaddress import IPv6Address, ip_address, ip_network
from typing import cast

from litestar import asgi
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.handlers import ASGIRouteHandler
from litestar.types import HTTPScope, Receive, Scope, Send

from llmring_core.errors import Unauthenticated
from llmring_http.requests import SentHeaders, headers_of

PATH = "/metrics"
TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
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


def metrics_route(metrics: Callable[[], bytes], token: str | None) -> ASGIRouteHandler:
    """Return the route; without a token, it is there for callers of this network only."""

    @asgi(PATH, copy_scope=False)
    async def show(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001  # ASGI
        headers, request = headers_of(scope), cast(HTTPScope, scope)
        if token is not None:
            if not compare_digest((headers.get(b"authorization") or "").encode(), wanted):
                raise WrongMetricsToken("send Authorization: Bearer and LLMRING_METRICS_TOKEN")
        elif not _is_near(request, headers):
            raise NotFoundException  # as if there were none
        if request["method"] != "GET":
            raise MethodNotAllowedException(headers={"Allow": "GET, OPTIONS"})
        body = metrics()
        head = [TEXT, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    wanted = f"Bearer {token}".encode()
    return show


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
