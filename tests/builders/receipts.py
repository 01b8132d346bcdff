"""A key, and what is needed to issue receipts with it."""

from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Protocol

from llmring_adapters.group_commit import GroupCommit
from llmring_adapters.receipts.local_key import LocalReceiptKey
from llmring_adapters.transactions.all_work import AllWork
from llmring_core.clock import Clock
from llmring_core.ids import ProjectId
from llmring_core.receipts import (
    IssueReceipt,
    IssueTogether,
    PublicKey,
    ReceiptToIssue,
    StoredReceipt,
)
from llmring_core.registry import CurrentRegistry
from llmring_core.transactions import Begin
from tests.builders.kernel import NOON, FakeClock, ids
from tests.builders.registry import PriceList
from tests.builders.usage import CALL

SEED = bytes(range(32))
SIGNER = LocalReceiptKey(SEED)
KEY = PublicKey(
    id=SIGNER.key_id, raw=SIGNER.public_key, not_before=NOON, retired_at=None, revoked_at=None
)
WANTED = ReceiptToIssue(call=CALL)


class Issue(Protocol):
    def __call__(
        self, project: ProjectId, wanted: ReceiptToIssue = WANTED
    ) -> Awaitable[StoredReceipt]: ...


def secrets() -> Callable[[], bytes]:
    numbers = count(1)
    return lambda: next(numbers).to_bytes(32, "big")


def issue_receipt(
    begin: Begin[AllWork],
    registry: CurrentRegistry | None = None,
    clock: Clock | None = None,
    server: int = 0,
) -> IssueReceipt:
    """The use case as a server has it, with an intake of its own; another server, other ids."""
    clock, new_id = clock or FakeClock(), ids(server)
    together = IssueTogether(begin, SIGNER, clock, new_id, secrets())
    return IssueReceipt(begin, GroupCommit(together), registry or PriceList(), clock, new_id)


def issuing(
    begin: Begin[AllWork],
    registry: CurrentRegistry | None = None,
    clock: Clock | None = None,
    server: int = 0,
) -> Issue:
    """What gives a project a new receipt."""
    use_case = issue_receipt(begin, registry, clock, server)

    async def issue(project: ProjectId, wanted: ReceiptToIssue = WANTED) -> StoredReceipt:
        return (await use_case(project, wanted)).value

    return issue


def signature_in(text: str) -> bytes:
    """Return the 64 bytes that a signature's text stands for."""
    return urlsafe_b64decode(text.removeprefix("ed25519:") + "==")
