"""Why a call is not forwarded, or its answer not given."""

from collections.abc import Iterable
from typing import ClassVar

from llmring_core.errors import (
    Forbidden,
    Invalid,
    LLMRingError,
    NotFound,
    Unauthenticated,
    Unavailable,
)


class CallRefused(Invalid):
    """The call breaks a rule of the provider it is meant for; before anything is forwarded."""


class UpstreamFailed(Unavailable):
    """The provider was asked, and did not give a whole answer."""


class EndpointNotFound(NotFound):
    """No provider is configured to be asked at this address."""

    code: ClassVar[str] = "gateway.endpoint-not-found"

    def __init__(self) -> None:
        super().__init__("Endpoint not found")


class MethodNotAllowed(LLMRingError):
    """The provider is not to be asked with this method."""

    code: ClassVar[str] = "gateway.method-not-allowed"

    def __init__(self, methods: Iterable[str]) -> None:
        super().__init__("Method not allowed")
        self.methods = sorted(methods)


class ParamNotAllowed(CallRefused):
    """A parameter has a value that the provider's whitelist does not hold."""

    code: ClassVar[str] = "gateway.param-not-allowed"

    def __init__(self, message: str, param: str | None) -> None:
        super().__init__(message)
        self.param = param


class OriginRequired(CallRefused):
    """The provider is only for web pages, and the call comes from none."""

    code: ClassVar[str] = "gateway.origin-required"

    def __init__(self) -> None:
        super().__init__("Origin header required")


class HeaderRequired(CallRefused):
    """A header is missing that the provider's configuration requires."""

    code: ClassVar[str] = "gateway.header-required"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} header required")


class OriginNotAllowed(Forbidden):
    """The web page that calls is none of those allowed to."""

    code: ClassVar[str] = "gateway.origin-not-allowed"

    def __init__(self) -> None:
        super().__init__("Origin not allowed")


class CredentialInQuery(CallRefused):
    """A credential stands in the address, where logs and caches would keep it."""

    code: ClassVar[str] = "gateway.credential-in-query"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} must be sent as a header, not in the address")


class NotAdmitted(Unauthenticated):
    """The call carries no token of this gateway."""

    code: ClassVar[str] = "gateway.invalid-token"

    def __init__(self, message: str = "missing or invalid authorization header") -> None:
        super().__init__(message)


class UpstreamUnreachable(UpstreamFailed):
    """No connection to the provider could be made."""

    code: ClassVar[str] = "gateway.upstream-unreachable"

    def __init__(self) -> None:
        super().__init__("Proxy error: the provider cannot be reached")


class UpstreamBroken(UpstreamFailed):
    """The provider's answer is no HTTP, too large a head, or ended before it was whole."""

    code: ClassVar[str] = "gateway.upstream-broken"

    def __init__(self) -> None:
        super().__init__("Proxy error: the provider's answer is broken")


class UpstreamRedirects(UpstreamFailed):
    """The provider sends callers to another address, where no credential may follow."""

    code: ClassVar[str] = "gateway.upstream-redirects"

    def __init__(self) -> None:
        super().__init__("Proxy error: the provider answered with a redirect")


class UpstreamTimeout(UpstreamFailed):
    """The provider did not answer, or not go on answering, in time."""

    code: ClassVar[str] = "gateway.timeout"

    def __init__(self) -> None:
        super().__init__("Request timeout")


class UpstreamBusy(Unavailable):
    """As many calls to this provider are under way as this server makes at once."""

    code: ClassVar[str] = "gateway.upstream-busy"

    def __init__(self) -> None:
        super().__init__("too many calls to this provider are under way; try again shortly")


class CircuitOpen(Unavailable):
    """The provider failed several of this project's calls in a row, and is left alone for now."""

    code: ClassVar[str] = "gateway.circuit-open"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("Upstream unavailable (circuit breaker open)")
        self.retry_after_s = retry_after_s
