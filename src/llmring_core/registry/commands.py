"""What a caller may ask of the registry context."""

from msgspec import Struct


class RegistryQuery(Struct, frozen=True, kw_only=True):
    """Which models to read. Nothing given: all there are, as of now."""

    version: str | None = None  # YYYY.MM.DD[.n], or N as the providers count
    providers: frozenset[str] = frozenset()  # any of them
    capabilities: frozenset[str] = frozenset()  # all of them


class ChangelogQuery(Struct, frozen=True, kw_only=True):
    """Which differences to read. Nothing given: those of the newest versions."""

    since: str | None = None  # only versions after this one
    limit: int = 10  # versions
    old: str | None = None  # instead of that, one difference: from this version; else its neighbour
    new: str | None = None  # to this one; else the one in force
    providers: frozenset[str] = frozenset()  # any of them
