"""What the registry context offers to pricing, and what it needs from the outside."""

from typing import Protocol

from llmring_core.registry.catalogue import Catalogue
from llmring_core.registry.model import Quote, RegistryStatus, Snapshot


class CurrentRegistry(Protocol):
    """The price list in force, in memory."""

    def quote(self, provider: str, model: str) -> Quote | None:
        """Return the entry in force now for this model, or None when no price is known."""


class RegistryInForce(CurrentRegistry, Protocol):
    """The snapshot in force, and how it got there. There always is one."""

    @property
    def catalogue(self) -> Catalogue: ...

    @property
    def status(self) -> RegistryStatus: ...

    def put(self, catalogue: Catalogue, status: RegistryStatus) -> None:
        """From now on, ``catalogue`` is in force."""


class RegistrySource(Protocol):
    """The public registry: one published file per provider."""

    async def fetch(self, provider: str) -> bytes:
        """Return the provider's current file as published. Raises RegistryUnavailable."""


class SnapshotBook(Protocol):
    """Every snapshot ever in force. Nothing here is ever changed or deleted."""

    async def append(self, snapshot: Snapshot) -> None:
        """Keep ``snapshot``. Raises SnapshotTaken when its version or sequence is taken."""

    async def latest(self) -> Snapshot | None:
        """Return the snapshot with the highest sequence, None when there is none at all."""

    async def get(self, version: str) -> Snapshot:
        """Return one snapshot exactly as it was appended. Raises VersionNotFound."""


class RegistryWork(Protocol):
    """The stores one registry transaction may touch."""

    @property
    def snapshots(self) -> SnapshotBook: ...
