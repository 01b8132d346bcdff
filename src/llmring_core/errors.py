"""Error families. Contexts subclass these; adapters and HTTP know only the families."""

from typing import ClassVar


class LLMRingError(Exception):
    """Something the caller can act on. ``code`` is stable API; the message is for people."""

    code: ClassVar[str] = "internal"


class Invalid(LLMRingError):
    """The request breaks a rule of the domain."""


class Unauthenticated(LLMRingError):
    """The caller did not prove who it is."""


class Forbidden(LLMRingError):
    """The caller is known but may not do this."""


class NotFound(LLMRingError):
    """The named thing does not exist for this caller."""


class Conflict(LLMRingError):
    """The request contradicts what is already stored."""


class LimitExceeded(LLMRingError):
    """A quota or rate limit is used up."""


class Unavailable(LLMRingError):
    """A backend we depend on did not answer; retrying may help."""


class InvalidField(Invalid):
    """One named field breaks one rule; the message is the rule."""

    code: ClassVar[str] = "invalid-field"

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule


class StoreUnavailable(Unavailable):
    """The database did not answer in time, or refused; repeat the request with the same key."""

    code: ClassVar[str] = "store-unavailable"


class Overloaded(Unavailable):
    """More requests are waiting to be stored than the server will hold."""

    code: ClassVar[str] = "overloaded"

    def __init__(self) -> None:
        super().__init__("too many requests are waiting to be stored; try again shortly")
