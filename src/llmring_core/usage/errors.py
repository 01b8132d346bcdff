"""Everything that can go wrong in the usage context."""

from typing import ClassVar

from llmring_core.errors import Conflict, Invalid
from llmring_core.ids import UsageId


class DuplicateUsage(Conflict):
    """The ledger already holds a record with this id."""

    code: ClassVar[str] = "usage.duplicate"

    def __init__(self, id: UsageId) -> None:
        super().__init__(f"usage record {id} is already in the ledger")
        self.id = id


class TotalsOverflow(Invalid):
    """The call's tokens would carry a day's total past 2^63 - 1."""

    code: ClassVar[str] = "usage.totals-overflow"

    def __init__(self) -> None:
        super().__init__("the tokens of this day would exceed 2^63 - 1")
