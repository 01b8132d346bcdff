"""What the receipts context needs from the outside."""

from collections.abc import Sequence
from typing import Protocol

from llmring_core.ids import ProjectId
from llmring_core.receipts.model import KeyId, PublicKey, ReceiptId, StoredReceipt
from llmring_core.transparency import LogWork


class ReceiptBook(Protocol):
    """Each project's receipts. Nothing here is ever changed or deleted."""

    async def take_numbers(self, project: ProjectId, count: int) -> int:
        """Take the project's next ``count`` numbers, and return the first of them.

        They are gone with the transaction: whoever rolls back has taken none, and whoever comes
        meanwhile waits. So there is never a gap.
        """

    async def add(self, project: ProjectId, receipts: Sequence[StoredReceipt]) -> None:
        """Keep ``receipts``. Raises DuplicateReceipt when the project has one of these ids."""

    async def find(self, project: ProjectId, id: ReceiptId) -> StoredReceipt | None:
        """Return the receipt exactly as it was added."""

    async def newest(
        self, project: ProjectId, limit: int, offset: int = 0
    ) -> tuple[list[StoredReceipt], int]:
        """Return receipts, the last stored first, after skipping ``offset``; and how many there
        are.
        """

    async def every(
        self, after: tuple[ProjectId, ReceiptId] | None, limit: int
    ) -> list[tuple[ProjectId, StoredReceipt]]:
        """Return receipts of all projects, in order of project and id, from after that one on."""


class KeyBook(Protocol):
    """Every key that ever signed receipts here, with its dates. None is ever forgotten."""

    async def put(self, key: PublicKey) -> None:
        """Keep ``key``, in place of what was known of it."""

    async def all(self) -> list[PublicKey]:
        """Return every key, the newest first."""


class ReceiptsWork(LogWork, Protocol):
    """The stores one receipts transaction may touch."""

    @property
    def receipts(self) -> ReceiptBook: ...

    @property
    def keys(self) -> KeyBook: ...


class ReceiptSigner(Protocol):
    """Holds the private key in force: a file, an environment variable."""

    @property
    def key_id(self) -> KeyId: ...

    @property
    def public_key(self) -> bytes:
        """32 bytes, Ed25519."""

    def sign(self, message: bytes) -> str:
        """Return the signature's text. Raises CannotSign."""
