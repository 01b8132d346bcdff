"""Who may manage the gateway: whoever has the management token, and nobody while there is none."""

from hmac import compare_digest
from typing import Final

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from llmring_core.errors import NotFound, StoreUnavailable, Unauthenticated
from llmring_http.requests import headers_of

BEARER = "Bearer "


class NoManagement(NotFound):
    """This server has no management token, and so no management API."""

    code = "gateway.no-management"

    def __init__(self) -> None:
        super().__init__("there is no management API; LLMRING_MANAGEMENT_TOKEN is not set")


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


READ: Final = (NoManagement, NoManagementToken, WrongManagementToken, StoreUnavailable)


def management_guard(token: str | None) -> Guard:
    """Return what lets only managers pass, and without a token nobody.

    Raises: NoManagement, NoManagementToken, WrongManagementToken.
    """
    wanted = None if token is None else token.encode()

    def guard(connection: ASGIConnection, _: BaseRouteHandler) -> None:  # type: ignore[type-arg]
        if wanted is None:
            raise NoManagement
        sent = headers_of(connection.scope).all(b"authorization")
        if len(sent) != 1 or not sent[0].startswith(BEARER):
            raise NoManagementToken
        if not compare_digest(sent[0].removeprefix(BEARER).encode(), wanted):
            raise WrongManagementToken

    return guard
