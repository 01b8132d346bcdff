"""What the registry context offers to pricing, and what it needs from the outside."""

from collections.abc import Sequence
from typing import Protocol

from llmring_core.registry.catalogue import Catalogue
from llmring_core.registry.changes import Change
from llmring_core.registry.documents import Fetched
from llmring_core.registry.model import Confirmation, Publication, Quote, RegistryStatus, Snapshot


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

    async def fetch(self) -> Fetched:
        """Return every provider's current file, or why there is none; all at once."""


class SnapshotBook(Protocol):
    """Every snapshot ever in force. Nothing here is ever changed or deleted."""

    async def append(self, snapshot: Snapshot) -> None:
        """Keep ``snapshot``. Raises SnapshotTaken when its version or sequence is taken."""

    async def latest(self) -> Snapshot | None:
        """Return the snapshot with the highest sequence, None when there is none at all."""

    async def get(self, version: str) -> Snapshot:
        """Return one snapshot exactly as it was appended. Raises VersionNotFound."""

    async def publications(self) -> Sequence[Publication]:
        """Return every version there is, oldest first."""

    async def holding(self, provider: str, number: int) -> str:
        """Return the last version made from this edition of the provider's file.

        Raises: VersionNotFound.
        """


class CheckBoard(Protocol):
    """Where servers tell each other that the registry was asked, so that one asks for all.

    It may lose, delay or make up everything: what it says is never more than a hint.
    """

    async def read(self) -> Confirmation | None:
        """Return what a server has confirmed; None when it is our turn to ask."""

    async def write(self, confirmation: Confirmation | None) -> None:
        """Tell the others; None: we asked, and there is nothing to rely on."""


class Archive(Protocol):
    """Published versions, opened; each is opened once and not per reader."""

    async def open(self, version: str) -> Catalogue:
        """Return what a version says: YYYY.MM.DD[.n], or N, every provider's Nth edition.

        Raises: VersionNotFound, StoreUnavailable.
        """

    async def compare(self, old: str | None, new: str) -> Sequence[Change]:
        """Return what ``new`` changed in ``old``, or in nothing.

        Raises: VersionNotFound, StoreUnavailable.
        """


class RegistryWork(Protocol):
    """The stores one registry transaction may touch."""

    @property
    def snapshots(self) -> SnapshotBook: ...
