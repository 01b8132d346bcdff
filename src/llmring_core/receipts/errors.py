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

    def __init__(self, id: str, said: str = "Receipt not found") -> None:
        super().__init__(said)
        self.id = id


class CannotCertify(Invalid):
    """Nothing is there that a receipt could be made for."""


class NothingSelected(CannotCertify):
    """The request does not say which logs it means."""

    code: ClassVar[str] = "receipts.nothing-selected"

    def __init__(self) -> None:
        super().__init__(
            "Must specify one of: conversation_id, date range, log_ids, or since_last_receipt"
        )


class NoLogsFound(CannotCertify):
    """No log is what was asked for and without a receipt."""

    code: ClassVar[str] = "receipts.no-logs-found"

    def __init__(self) -> None:
        super().__init__("No logs found matching the criteria")


class TooManyLogs(Invalid):
    """One receipt cannot hold so many logs."""

    code: ClassVar[str] = "receipts.too-many-logs"


class AlreadyCertified(Conflict):
    """One of these logs has a receipt already."""

    code: ClassVar[str] = "receipts.already-certified"


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


class BadStatement(Invalid):
    """A statement is not the sum of the receipts it is said to be."""

    code: ClassVar[str] = "receipts.bad-statement"
