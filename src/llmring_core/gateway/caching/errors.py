"""What can go wrong with the gateway's cache, for those who manage it. No call ever fails of it."""

from typing import ClassVar

from llmring_core.errors import Invalid, Unavailable


class CachingDisabled(Invalid):
    """This gateway keeps no answers, so there is nothing to purge."""

    code: ClassVar[str] = "gateway.caching-disabled"

    def __init__(self) -> None:
        super().__init__("caching is disabled")


class NothingNamed(Invalid):
    """A purge has to name a method and a URL."""

    code: ClassVar[str] = "gateway.nothing-named"

    def __init__(self) -> None:
        super().__init__("method and url are required")


class BadPurgeUrl(Invalid):
    """The URL to purge is none."""

    code: ClassVar[str] = "gateway.bad-purge-url"

    def __init__(self) -> None:
        super().__init__("invalid URL")


class BadPurgePrefix(Invalid):
    """The prefix to purge is neither the beginning of a path nor that of a key."""

    code: ClassVar[str] = "gateway.bad-purge-prefix"

    def __init__(self) -> None:
        super().__init__("invalid prefix: a path begins with /, a key has 1 to 64 hex digits")


class CacheUnavailable(Unavailable):
    """The cache did not answer, so that nobody knows what is left in it; repeat the purge."""

    code: ClassVar[str] = "gateway.cache-unavailable"

    def __init__(self) -> None:
        super().__init__("the cache did not answer; repeat the purge")
