"""Who may manage the gateway: whoever has the management token, and nobody while there is none."""

from hmac import compare_digest

from litestar.connection import ASGIConnection
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from llmring_core.errors import Unauthenticated
from llmring_http.requests import headers_of

BEARER = "Bearer "


class NoManagementToken(Unauthenticated):
    """The request carries no management token."""

    code = "gateway.no-management-token"

    def __init__(self) -> None:
        super().__init__("missing or invalid Authorization header")


class WrongManagementToken(Unauthenticated):
    """The management token is another one."""

    code = "gateway.wrong-management-token"

    def __init__(self) -> None:
        super().__init__("invalid management token")


def management_guard(token: str | None) -> Guard:
    """Return what lets only managers pass; without a token it is as if there were no such routes.

    Raises: NoManagementToken, WrongManagementToken.
    """
    wanted = None if token is None else token.encode()

    def guard(connection: ASGIConnection, _: BaseRouteHandler) -> None:  # type: ignore[type-arg]
        if wanted is None:
            raise NotFoundException
        sent = headers_of(connection.scope).all(b"authorization")
        if len(sent) != 1 or not sent[0].startswith(BEARER):
            raise NoManagementToken
        if not compare_digest(sent[0].removeprefix(BEARER).encode(), wanted):
            raise WrongManagementToken

    return guard
