"""Values: whom the gateway may ask, at which addresses, by which rules."""

from typing import Literal

from msgspec import Struct

from llmring_core.gateway.forwarding.errors import EndpointNotFound, MethodNotAllowed
from llmring_core.gateway.forwarding.paths import VERSION, endpoint_pattern, glob_pattern

Credential = Literal["bearer", "x-api-key", "x-goog-api-key"]  # how a provider is told who asks

PREFIX = "/v1"


class Timeouts(Struct, frozen=True, kw_only=True):
    """All in seconds."""

    connect_s: float
    first_byte_s: float  # from the request's last byte to the answer's head
    idle_s: float  # between two pieces of an answer
    answer_s: float  # a whole answer that is no event stream
    stream_s: float  # a whole event stream
    keep_alive_s: float  # a connection that nobody uses


class Provider(Struct, frozen=True, kw_only=True):
    """Somebody to ask. Nothing in a call can change where it goes or who pays."""

    name: str
    origin: str  # scheme, host and port
    base_path: str  # what stands in for /v1; empty: nothing does
    credential: Credential
    endpoints: tuple[str, ...]  # normal paths; * is any part of a segment
    methods: frozenset[str]
    timeouts: Timeouts
    params: dict[str, tuple[str, ...]]  # globs of what each may be; those not named are free
    origins: frozenset[str]  # of web pages; empty: any
    required_headers: tuple[str, ...]  # lower case
    asks_for_usage: bool  # of chat streams whose caller does not
    models: tuple[str, ...]  # globs of the models to be asked of it rather than of the default

    def check(self, method: str, endpoint: str) -> None:
        """Raises MethodNotAllowed, EndpointNotFound."""
        if method not in self.methods:
            raise MethodNotAllowed(self.methods)
        if not any(endpoint_pattern(allowed).fullmatch(endpoint) for allowed in self.endpoints):
            raise EndpointNotFound

    def serves(self, model: str) -> bool:
        return any(glob_pattern(glob).fullmatch(model) for glob in self.models)

    def target(self, endpoint: str) -> str:
        """Return the path to be asked for at ``origin``."""
        if not self.base_path:
            return endpoint
        return self.base_path + endpoint.removeprefix(PREFIX)


class Route(Struct, frozen=True, kw_only=True):
    """What an address means."""

    endpoint: str  # as the provider knows it
    candidates: tuple[Provider, ...]  # the first one, unless the model decides


class Providers(Struct, frozen=True, kw_only=True):
    """Everybody the gateway may ask."""

    by_name: dict[str, Provider]
    default: Provider

    def route(self, path: str) -> Route:
        """Return whom ``path``, in its normal form, may be meant for.

        ``/v1/NAME/...`` is the provider of that name; its own version may follow or be left out.
        """
        first, _, rest = path.removeprefix(PREFIX + "/").partition("/")
        named = self.by_name.get(first)
        if named is not None and rest:
            endpoint = f"/{rest}" if VERSION.match(f"/{rest}") else f"{PREFIX}/{rest}"
            return Route(endpoint=endpoint, candidates=(named,))
        others = [one for one in self.by_name.values() if one.models and one != self.default]
        return Route(endpoint=path, candidates=(self.default, *others))


def chosen(candidates: tuple[Provider, ...], model: str | None) -> Provider:
    """Return whom to ask for ``model``."""
    if model is not None:
        for candidate in candidates[1:]:
            if candidate.serves(model):
                return candidate
    return candidates[0]
