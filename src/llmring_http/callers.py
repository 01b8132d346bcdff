"""Who is calling: the headers of every historic client become a Caller."""

import re
from collections.abc import Awaitable, Callable

from litestar import Request
from litestar.datastructures.state import State
from litestar.di import NamedDependency
from litestar.openapi.spec import Components, SecurityRequirement, SecurityScheme

from llmring_core.accounts import MAX_KEY_LENGTH, Authenticate, Caller
from llmring_core.errors import Unauthenticated
from llmring_core.ids import ProjectId
from llmring_http.problems import BadRequest
from llmring_http.requests import SentHeaders, headers_of

KEY_HEADERS = {
    b"x-api-key": "X-API-Key",
    b"x-project-key": "X-Project-Key",
    b"authorization": "Authorization",
}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
SCHEMES = Components(
    security_schemes={
        "ApiKey": SecurityScheme(type="apiKey", name="X-API-Key", security_scheme_in="header"),
        "Bearer": SecurityScheme(type="http", scheme="Bearer"),
    }
)
SECURITY: list[SecurityRequirement] = [{"ApiKey": []}, {"Bearer": []}]  # either of them
VISIBLE = re.compile(r"[!-~]+")


class MissingCredentials(Unauthenticated):
    """The request names no tenant."""

    code = "accounts.missing-credentials"

    def __init__(
        self,
        message: str = "Authentication required: provide X-API-Key or (X-User-ID + X-Project-ID)",
    ) -> None:
        super().__init__(message)


def caller_provider(
    trust_identity_headers: bool,
) -> Callable[..., Awaitable[Caller]]:
    """Return the dependency that finds out who is calling; it raises what ``caller_in`` does."""

    async def caller(
        request: Request[None, None, State], authenticate: NamedDependency[Authenticate]
    ) -> Caller:
        headers = headers_of(request.scope)
        found = await caller_in(headers, authenticate, trust_identity_headers)
        request.scope["state"]["project"] = found.project
        return found

    return caller


async def caller_in(
    headers: SentHeaders, authenticate: Authenticate, trust_identity_headers: bool
) -> Caller:
    """Return who the headers say is calling.

    Raises: MissingCredentials, InvalidApiKey, and BadRequest for credentials that are malformed or
    contradict each other.
    """
    key = api_key_in(headers)
    if key is not None:
        return await authenticate(key)
    if trust_identity_headers:
        return identity_in(headers)
    raise MissingCredentials


def api_key_in(headers: SentHeaders) -> str | None:
    """Return the one API key the headers carry, however many of them repeat it."""
    keys = {key for sent, name in KEY_HEADERS.items() for key in _keys(name, headers.all(sent))}
    if len(keys) > 1:
        raise BadRequest(
            "X-API-Key, X-Project-Key and Authorization carry different keys; send one"
        )
    return keys.pop() if keys else None


def identity_in(headers: SentHeaders) -> Caller:
    """Return the project that an authenticating proxy vouches for."""
    user, project = _identity("X-User-ID", headers), _identity("X-Project-ID", headers)
    if user is None or project is None:
        raise MissingCredentials
    if not user or not project:
        raise MissingCredentials("X-User-ID and X-Project-ID cannot be empty")
    if not UUID.fullmatch(user) or not UUID.fullmatch(project):
        raise BadRequest("Invalid UUID format in authentication headers")
    return Caller(project=ProjectId(project.lower()))


def _identity(name: str, headers: SentHeaders) -> str | None:
    values = _once(name, headers.all(name.lower().encode()))
    return values[0] if values else None


def _keys(name: str, values: list[str]) -> list[str]:
    if not values:
        return values
    values = _once(name, values)
    if name == "Authorization":
        schemes = [value.partition(" ") for value in values]
        values = [key.strip(" \t") for scheme, _, key in schemes if scheme.lower() == "bearer"]
    keys = [value for value in values if value]
    for key in keys:
        _check_form(name, key)
    return keys


def _once(name: str, values: list[str]) -> list[str]:
    """Return the values, of which there is at most one; who sends two hides something."""
    if len(values) > 1:
        raise BadRequest(f"{name} must be sent once")
    return values


def _check_form(name: str, key: str) -> None:
    if len(key) > MAX_KEY_LENGTH:
        raise BadRequest(f"{name} too long")
    if VISIBLE.fullmatch(key):
        return
    if any(character.isspace() for character in key):
        raise BadRequest(f"{name} must not contain whitespace")
    raise BadRequest(f"{name} must be visible ASCII characters")
