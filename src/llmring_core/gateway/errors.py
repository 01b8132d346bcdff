"""Everything that can go wrong in the gateway's access side.

The messages are those that published clients of such gateways know, and so is ``wire_code`` where a
refused call has one.
"""

from typing import ClassVar

from llmring_core.errors import (
    Forbidden,
    Invalid,
    LimitExceeded,
    NotFound,
    Unauthenticated,
    Unavailable,
)


class Unacceptable(Invalid):
    """What an operator asks of the gateway lacks something, or contradicts itself."""

    code: ClassVar[str] = "gateway.unacceptable"


class GatewayProjectNotFound(NotFound):
    """The gateway has no project with this id."""

    code: ClassVar[str] = "gateway.project-not-found"

    def __init__(self) -> None:
        super().__init__("project not found")


class TokenNotFound(NotFound):
    """No token has this id."""

    code: ClassVar[str] = "gateway.token-not-found"

    def __init__(self) -> None:
        super().__init__("token not found")


class NoTokensForInactive(Forbidden):
    """The project is switched off, and so gets no new tokens."""

    code: ClassVar[str] = "gateway.no-tokens-for-inactive"
    wire_code: ClassVar[str] = "project_inactive"

    def __init__(self) -> None:
        super().__init__("cannot create tokens for inactive projects")


class MalformedToken(Unauthenticated):
    """What was presented has not the form of a token."""

    code: ClassVar[str] = "gateway.malformed-token"
    wire_code: ClassVar[str] = "invalid_token"

    def __init__(self) -> None:
        super().__init__("Invalid token")


class UnknownToken(Unauthenticated):
    """Nobody was ever given this token."""

    code: ClassVar[str] = "gateway.unknown-token"
    wire_code: ClassVar[str] = "token_not_found"

    def __init__(self) -> None:
        super().__init__("Token not found")


class InactiveToken(Unauthenticated):
    """The token was revoked."""

    code: ClassVar[str] = "gateway.inactive-token"
    wire_code: ClassVar[str] = "token_inactive"

    def __init__(self) -> None:
        super().__init__("Token is inactive")


class ExpiredToken(Unauthenticated):
    """The token's time is over."""

    code: ClassVar[str] = "gateway.expired-token"
    wire_code: ClassVar[str] = "token_expired"

    def __init__(self) -> None:
        super().__init__("Token has expired")


class InactiveProject(Forbidden):
    """The token's project is switched off."""

    code: ClassVar[str] = "gateway.inactive-project"
    wire_code: ClassVar[str] = "project_inactive"

    def __init__(self) -> None:
        super().__init__("Project is inactive")


class RequestsUsedUp(LimitExceeded):
    """The token has made all the requests it may make."""

    code: ClassVar[str] = "gateway.requests-used-up"
    wire_code: ClassVar[str] = "rate_limit_exceeded"

    def __init__(self) -> None:
        super().__init__("Rate limit exceeded")


class TooManyRequests(LimitExceeded):
    """The token has made its requests of this minute; ``retry_after_s`` says when to come back."""

    code: ClassVar[str] = "gateway.too-many-requests"
    wire_code: ClassVar[str] = "rate_limit_exceeded"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("Rate limit exceeded")
        self.retry_after_s = retry_after_s


class BudgetUsedUp(LimitExceeded):
    """The token's or the project's budget has no room for this call."""

    code: ClassVar[str] = "gateway.budget-used-up"
    wire_code: ClassVar[str] = "insufficient_quota"

    def __init__(self) -> None:
        super().__init__("Budget exceeded")


class NoProviderKey(Unavailable):
    """The project has no key of its own for this provider."""

    code: ClassVar[str] = "gateway.no-provider-key"
    wire_code: ClassVar[str] = "upstream_auth_error"

    def __init__(self, provider: str) -> None:
        super().__init__(f"the project has no key for {provider}")
        self.provider = provider


class CannotUnseal(Unavailable):
    """A stored secret was encrypted with a key this server has not, or was changed since."""

    code: ClassVar[str] = "gateway.cannot-unseal"
    wire_code: ClassVar[str] = "upstream_auth_error"

    def __init__(self) -> None:
        super().__init__("a stored provider key cannot be decrypted with this server's key")


class PriceUnknown(Invalid):
    """A call under a budget in dollars names a model of which nobody knows what it costs."""

    code: ClassVar[str] = "gateway.price-unknown"

    def __init__(self, model: str | None) -> None:
        super().__init__(
            f"the registry has no price for the model {(model or '')[:100]!r}, and this token's "
            "budget is in dollars; name a priced model, or have the budget given in tokens"
        )
