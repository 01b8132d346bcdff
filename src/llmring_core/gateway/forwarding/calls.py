"""Rules in their order: what a call must keep before anybody is asked whether it may be made."""

from collections.abc import Mapping

from msgspec import Struct

from llmring_core.errors import LLMRingError
from llmring_core.gateway.forwarding.origins import check_headers
from llmring_core.gateway.forwarding.params import (
    MODEL,
    Members,
    check_body,
    check_once,
    check_query,
    check_value,
    members_of,
    model_of,
)
from llmring_core.gateway.forwarding.paths import check_query as check_credentials
from llmring_core.gateway.forwarding.paths import normal_path
from llmring_core.gateway.forwarding.providers import Provider, Providers, Route, chosen

PATH_MODEL = "/models/"  # in addresses such as /v1beta/models/NAME:generateContent


class Head(Struct, frozen=True, kw_only=True):
    """What is known of a call before its body."""

    method: str
    raw_path: bytes  # as sent, without the query
    query: bytes
    headers: Mapping[bytes, bytes]  # by lower-case name, the last of each


class Call(Struct, frozen=True, kw_only=True):
    """A call that keeps the rules."""

    method: str
    endpoint: str
    target: str  # path and query at the provider
    provider: Provider
    model: str | None


def opened(providers: Providers, head: Head) -> Route:
    """Return what a call may be, by its head. Raises what ``checked`` does."""
    route = providers.route(normal_path(head.raw_path))
    if head.method == "OPTIONS":
        return route
    check_credentials(head.query)
    refusals: list[LLMRingError] = []
    for provider in route.candidates:
        try:
            _check_head(provider, route.endpoint, head)
        except LLMRingError as refusal:
            refusals.append(refusal)
    if len(refusals) == len(route.candidates):
        raise refusals[0]
    return route


def called(route: Route, head: Head, body: bytes | None) -> Call:
    """Return the call, given its JSON body; None when it has none or is something else.

    Raises: MethodNotAllowed, EndpointNotFound, ParamNotAllowed, OriginRequired, HeaderRequired,
    OriginNotAllowed.
    """
    members = None if body is None else members_of(body)
    if body is not None and members is not None:
        globs = {name for provider in route.candidates for name in provider.params}
        check_once(body, members, {MODEL, *globs})
    model = _model_in(route.endpoint) or model_of(members)
    provider = chosen(route.candidates, model)
    _check_head(provider, route.endpoint, head)
    checked(provider, route.endpoint, head, members, body is not None)
    query = head.query.decode("ascii")
    target = provider.target(route.endpoint)
    return Call(
        method=head.method,
        endpoint=route.endpoint,
        target=f"{target}?{query}" if query else target,
        provider=provider,
        model=model,
    )


def checked(
    provider: Provider, endpoint: str, head: Head, members: Members | None, has_body: bool
) -> None:
    """Raises ParamNotAllowed when a parameter's value, wherever it stands, is not allowed."""
    allowed = provider.params
    check_query(allowed, head.query.decode("ascii"))
    named = _model_in(endpoint)
    if named is not None and MODEL in allowed:
        check_value(MODEL, named, allowed[MODEL])
    if has_body or head.method in ("POST", "PUT", "PATCH"):
        check_body(allowed, members)


def _check_head(provider: Provider, endpoint: str, head: Head) -> None:
    provider.check(head.method, endpoint)
    check_headers(provider, head.headers)


def _model_in(endpoint: str) -> str | None:
    """Return the model that an address names together with what is asked of it."""
    _, found, rest = endpoint.partition(PATH_MODEL)
    model, colon, _ = rest.partition(":")
    return model if found and colon and "/" not in model and model else None
