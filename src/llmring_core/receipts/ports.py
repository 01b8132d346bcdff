"""What the receipts context needs from the outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from msgspec import Struct

from llmring_core.errors import LLMRingError
from llmring_core.idempotency import AnswerName, Attempt, IdempotencyWork
from llmring_core.ids import ProjectId
from llmring_core.receipts.model import KeyId, PublicKey, ReceiptId, StoredReceipt
from llmring_core.receipts.statements import Span, StatementId, StoredStatement
from llmring_core.transparency import LogWork
from llmring_core.usage import UsageRecord

CERTIFYING: Final = "receipts.usage_id"  # a call of the ledger names its receipt


class Numbers(NamedTuple):
    """What receipts that are issued together are given."""

    first: int  # the others follow
    at: datetime  # UTC: when they are issued


class ReceiptBook(Protocol):
    """Each project's receipts. Nothing here is ever changed or deleted."""

    async def take_numbers(self, project: ProjectId, count: int, now: datetime) -> Numbers:
        """Take the project's next ``count`` numbers, at ``now`` or the latest time given before.

        They are gone with the transaction: whoever rolls back has taken none, and whoever comes
        meanwhile waits. So there is never a gap, and times never go back where numbers go on.
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

    async def numbered(self, project: ProjectId, first: int, last: int) -> list[StoredReceipt]:
        """Return the receipts with these numbers, in their order."""

    async def last_before(self, project: ProjectId, end: datetime) -> int:
        """Return the number of the last receipt issued before ``end``, 0 when there is none."""

    async def own(
        self, project: ProjectId, after: ReceiptId | None, limit: int
    ) -> list[StoredReceipt]:
        """Return the project's receipts, in order of id, from after that one on."""

    async def every(
        self, after: tuple[ProjectId, ReceiptId] | None, limit: int
    ) -> list[tuple[ProjectId, StoredReceipt]]:
        """Return receipts of all projects, in order of project and id, from after that one on."""


class StatementBook(Protocol):
    """Each project's statements. Nothing here is ever changed or deleted."""

    async def add(self, project: ProjectId, statement: StoredStatement) -> None:
        """Keep ``statement``. Raises DuplicateStatement when the project has one of its period."""

    async def find(self, project: ProjectId, id: StatementId) -> StoredStatement | None:
        """Return the statement exactly as it was added."""

    async def last(self, project: ProjectId, span: Span) -> StoredStatement | None:
        """Return the one of the latest period, of those of days or of months."""

    async def of_period(self, project: ProjectId, period: str) -> StoredStatement | None:
        """Return the statement of a day or month, by its name."""

    async def newest(
        self, project: ProjectId, limit: int, offset: int = 0
    ) -> tuple[list[StoredStatement], int]:
        """Return statements, the last stored first, after skipping ``offset``; and how many there
        are.
        """


class KeyBook(Protocol):
    """Every key that ever signed receipts here, with its dates. None is ever forgotten."""

    async def put(self, key: PublicKey) -> None:
        """Keep ``key``, in place of what was known of it."""

    async def all(self) -> list[PublicKey]:
        """Return every key, the newest first."""


class ReceiptsWork(IdempotencyWork, LogWork, Protocol):
    """The stores one receipts transaction may touch."""

    @property
    def receipts(self) -> ReceiptBook: ...

    @property
    def keys(self) -> KeyBook: ...

    @property
    def statements(self) -> StatementBook: ...


class Issuance(Struct, frozen=True, kw_only=True):
    """A receipt on its way: a call as it was priced, and how whoever asked named the request."""

    record: UsageRecord
    lock_digest: str | None
    attempts: tuple[Attempt, ...]
    in_ledger: bool  # whether the record is committed there, to get this receipt and no other

    @property
    def names(self) -> list[AnswerName]:
        project = self.record.project
        names = [(project, attempt.scope, attempt.key) for attempt in self.attempts]
        return [*names, self.name_in_ledger] if self.in_ledger else names

    @property
    def name_in_ledger(self) -> AnswerName:
        return self.record.project, CERTIFYING, self.record.id


class ReceiptIntake(Protocol):
    """The way to a receipt. What comes together may be signed and committed together."""

    async def take(self, issuance: Issuance) -> StoredReceipt:
        """Return the receipt once it is committed; whoever stops waiting does not stop it.

        Raises AlreadyAnswered, NotCanonical, CannotSign, Overloaded, StoreUnavailable; others are
        not affected.
        """

    async def take_all(self, issuances: Sequence[Issuance]) -> list[StoredReceipt | LLMRingError]:
        """Return each one's receipt, or why it has none, in their order.

        Raises Overloaded when there is no room for all of them.
        """


class ReceiptSigner(Protocol):
    """Holds the private key in force: a file, an environment variable."""

    @property
    def key_id(self) -> KeyId: ...

    @property
    def public_key(self) -> bytes:
        """32 bytes, Ed25519."""

    def sign(self, message: bytes) -> str:
        """Return the signature's text. Raises CannotSign."""
