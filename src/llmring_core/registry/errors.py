"""Everything that can go wrong in the registry context."""

from typing import ClassVar

from llmring_core.errors import Conflict, NotFound, Unavailable


class RegistryUnavailable(Unavailable):
    """The public registry did not answer with a provider's file."""

    code: ClassVar[str] = "registry.unavailable"

    def __init__(self, provider: str, reason: str) -> None:
        super().__init__(f"{provider}: {reason}")
        self.provider = provider
        self.reason = reason


class BadRegistryFile(Unavailable):
    """The public registry answered with something that is no valid provider file."""

    code: ClassVar[str] = "registry.bad-file"

    def __init__(self, provider: str, reason: str) -> None:
        super().__init__(f"{provider}: {reason}")
        self.provider = provider
        self.reason = reason


class VersionNotFound(NotFound):
    """No snapshot was published under this version."""

    code: ClassVar[str] = "registry.version-not-found"

    def __init__(self) -> None:
        super().__init__("Registry version not found")


class ProviderNotFound(NotFound):
    """The registry has no such provider."""

    code: ClassVar[str] = "registry.provider-not-found"

    def __init__(self) -> None:
        super().__init__("Registry provider not found")


class CorruptSnapshot(Unavailable):
    """A stored snapshot is not what was stored: its digest or form does not match any more."""

    code: ClassVar[str] = "registry.corrupt-snapshot"

    def __init__(self, version: str, sequence: int) -> None:
        super().__init__(f"registry version {version} is damaged in the database")
        self.version = version
        self.sequence = sequence


class SnapshotTaken(Conflict):
    """Another snapshot already has this version or this place in the sequence."""

    code: ClassVar[str] = "registry.snapshot-taken"

    def __init__(self, version: str) -> None:
        super().__init__(f"registry version {version} is already published")
        self.version = version
