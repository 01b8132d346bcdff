"""What a caller may ask of the registry context."""

from msgspec import Struct


class RegistryQuery(Struct, frozen=True, kw_only=True):
    """Which models to read. Nothing given: all there are, as of now."""

    version: str | None = None  # YYYY.MM.DD[.n]
    providers: frozenset[str] = frozenset()  # any of them
    capabilities: frozenset[str] = frozenset()  # all of them
