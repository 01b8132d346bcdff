"""Everything that can go wrong in the receipts context."""

from typing import ClassVar

from llmring_core.errors import Conflict, Invalid, NotFound, Unavailable


class BadReceipt(Invalid):
    """The document has none of the forms a receipt may have."""

    code: ClassVar[str] = "receipts.bad-receipt"


class BadSignature(Invalid):
    """The signature is malformed or does not match the receipt."""

    code: ClassVar[str] = "receipts.bad-signature"


class BadKey(Invalid):
    """The key is none that receipts can be signed with."""

    code: ClassVar[str] = "receipts.bad-key"


class DuplicateReceipt(Conflict):
    """The project keeps another receipt under this id."""

    code: ClassVar[str] = "receipts.duplicate"


class ReceiptNotFound(NotFound):
    """The project has no receipt with this id."""

    code: ClassVar[str] = "receipts.not-found"

    def __init__(self, id: str) -> None:
        super().__init__("Receipt not found")
        self.id = id


class KeyNotFound(NotFound):
    """No key that signs receipts has this name."""

    code: ClassVar[str] = "receipts.key-not-found"


class CannotSign(Unavailable):
    """This server has no key in force; nothing is ever issued unsigned."""

    code: ClassVar[str] = "receipts.cannot-sign"


class TooManyModels(Invalid):
    """The project's receipts of the period name more models than a statement can."""

    code: ClassVar[str] = "receipts.too-many-models"


class StatementNotFound(NotFound):
    """The project has no statement with this id."""

    code: ClassVar[str] = "receipts.statement-not-found"

    def __init__(self, id: str) -> None:
        super().__init__("Statement not found")
        self.id = id


class NotYetStated(Conflict):
    """Statements follow each other: this period is not over, or an earlier one comes first."""

    code: ClassVar[str] = "receipts.not-yet-stated"


class DuplicateStatement(Conflict):
    """The project has a statement of this period."""

    code: ClassVar[str] = "receipts.duplicate-statement"
