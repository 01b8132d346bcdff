"""Stating what a project's receipts come to. Writes first, reads after."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from msgspec import Struct, json, to_builtins
from msgspec.structs import asdict

from llmring_core.canonical import canonical, document_in
from llmring_core.clock import Clock
from llmring_core.ids import NewId, NewSecret, ProjectId
from llmring_core.receipts.errors import NotYetStated, StatementNotFound, TooManyModels
from llmring_core.receipts.issuing import instant
from llmring_core.receipts.key_history import check_in_force
from llmring_core.receipts.model import Receipt, StoredReceipt
from llmring_core.receipts.ports import ReceiptSigner, ReceiptsWork
from llmring_core.receipts.statements import (
    MAX_BYTES,
    Adding,
    StatedPeriod,
    Statement,
    StatementId,
    StoredStatement,
    Sums,
    leaf_of_statement,
    period_with,
    previous_of,
    stated_period,
)
from llmring_core.receipts.verification import Verdict, verified
from llmring_core.transactions import Begin
from llmring_core.transparency import InclusionProof, proved

READ_TOGETHER = 500  # receipts


class _Place(Struct, frozen=True, kw_only=True):
    """Where a statement stands between the others."""

    previous: StoredStatement | None
    first_seq: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class IssueStatement:
    """State what all receipts of a day or month come to, sign it and log it: once for each.

    Statements of a span follow each other without a gap, and no receipt gets a time within a
    period that was stated. So a project's statements name every receipt it was ever issued.
    """

    begin: Begin[ReceiptsWork]
    signer: ReceiptSigner
    clock: Clock
    new_id: NewId
    new_secret: NewSecret

    async def __call__(self, project: ProjectId, period_name: str) -> tuple[StoredStatement, bool]:
        """Return the statement, and whether it is new.

        Raises: InvalidField, NotYetStated, TooManyModels, CannotSign.
        """
        period = stated_period(period_name)
        if self.clock() < period.end:
            raise NotYetStated(f"{period.name} is over at {instant(period.end)}; ask again then")
        async with self.begin() as work:
            known = await _known(work, project, period)
            if known is not None:
                return known, False
            place = await _place(work, project, period)
        sums = await self._sums(project, place)
        async with self.begin() as work:
            known = await _known(work, project, period)
            if known is not None:  # somebody else was faster
                return known, False
            if await _place(work, project, period) != place:
                raise NotYetStated("another statement was issued meanwhile; ask again")
            check_in_force(await work.keys.all(), self.signer)
            stored = self._signed(project, period, place, sums)
            await work.statements.add(project, stored)
            await work.log.add([leaf_of_statement(stored)])
        return stored, True

    async def _sums(self, project: ProjectId, place: _Place) -> Sums:
        """Add the receipts up in pages of a transaction each: what is numbered never changes."""
        adding = Adding()
        async for page in _pages(self.begin, project, place.first_seq, place.last_seq):
            for stored in page:
                receipt = json.decode(stored.body, type=Receipt)
                adding.add(receipt, stored.document.encode())
        return adding.sums

    def _signed(
        self, project: ProjectId, period: StatedPeriod, place: _Place, sums: Sums
    ) -> StoredStatement:
        now, previous = self.clock(), place.previous
        statement = Statement(
            type="llmring.statement",
            v=1,
            id=StatementId(f"stmt_{self.new_id()}"),
            project=project,
            period=period.name,
            start=instant(period.start),
            end=instant(period.end),
            issued_at=instant(now),
            key_id=self.signer.key_id,
            first_seq=place.first_seq,
            last_seq=place.last_seq,
            currency="USD",
            **asdict(sums),
            previous=None if previous is None else previous_of(previous),
        )
        body = canonical(to_builtins(statement))
        if len(body) > MAX_BYTES:
            raise TooManyModels("the names of its models make the statement too long")
        return StoredStatement(
            id=statement.id,
            period=period.name,
            span=period.span,
            body=body.decode(),
            signature=self.signer.sign(body),
            stored_at=now,
            leaf=self.new_id(),
            salt=self.new_secret(),
        )


@dataclass(frozen=True, slots=True)
class ListStatements:
    """Read the project's statements, the last stored first."""

    begin: Begin[ReceiptsWork]

    async def __call__(
        self, project: ProjectId, limit: int, offset: int
    ) -> tuple[list[StoredStatement], int]:
        """Return a page, and how many there are in all."""
        async with self.begin() as work:
            return await work.statements.newest(project, limit, offset)


@dataclass(frozen=True, slots=True)
class FetchStatement:
    """Read one of the project's statements, and check that it still is what was signed."""

    begin: Begin[ReceiptsWork]

    async def __call__(
        self, project: ProjectId, id: StatementId
    ) -> tuple[StoredStatement, Verdict]:
        """Raises StatementNotFound."""
        async with self.begin() as work:
            found = await _found(work, project, id)
            keys = await work.keys.all()
        return found, verified(document_in(found.document.encode(), MAX_BYTES), keys)


@dataclass(frozen=True, slots=True)
class ProveStatement:
    """Show that a statement is in the transparency log."""

    begin: Begin[ReceiptsWork]

    async def __call__(self, project: ProjectId, id: StatementId) -> InclusionProof:
        """Raises StatementNotFound, and NotInLog while the log has not taken it in."""
        async with self.begin() as work:
            found = await _found(work, project, id)
            return await proved(work.log, found.leaf, found.salt)


@dataclass(frozen=True, slots=True)
class ReadStated:
    """Read the receipts that a statement names, in order of their numbers."""

    begin: Begin[ReceiptsWork]

    async def __call__(
        self, project: ProjectId, id: StatementId
    ) -> AsyncGenerator[list[StoredReceipt], None]:
        """Yield pages of a transaction each, the first perhaps empty. Raises StatementNotFound."""
        async with self.begin() as work:
            stated = (await _found(work, project, id)).content
        if not stated.count:
            yield []
        pages = _pages(self.begin, project, stated.first_seq, stated.last_seq)
        async with aclosing(pages):
            async for page in pages:
                yield page


async def _known(
    work: ReceiptsWork, project: ProjectId, period: StatedPeriod
) -> StoredStatement | None:
    """Return the statement of ``period``, if there is one.

    Until the transaction ends the project gets no other receipt or statement; after it, no receipt
    with a time within the period.
    """
    await work.receipts.take_numbers(project, 0, period.end)
    return await work.statements.of_period(project, period.name)


async def _place(work: ReceiptsWork, project: ProjectId, period: StatedPeriod) -> _Place:
    """Return where the statement of ``period`` stands. Raises NotYetStated."""
    previous = await work.statements.last(project, period.span)
    if previous is not None and previous.period > period.name:
        raise NotYetStated(f"{previous.period} is stated already, and statements follow each other")
    first = 1 if previous is None else previous.content.last_seq + 1
    for oldest in await work.receipts.numbered(project, first, first):
        if oldest.stored_at < period.start:
            missing = period_with(oldest.stored_at, period.span)
            raise NotYetStated(f"receipts of {missing} are in no statement yet; state that first")
    last = await work.receipts.last_before(project, period.end)
    return _Place(previous=previous, first_seq=first, last_seq=last)


async def _found(work: ReceiptsWork, project: ProjectId, id: StatementId) -> StoredStatement:
    found = await work.statements.find(project, id)
    if found is None:
        raise StatementNotFound(id)
    return found


async def _pages(
    begin: Begin[ReceiptsWork], project: ProjectId, first: int, last: int
) -> AsyncGenerator[list[StoredReceipt], None]:
    """Yield the receipts with these numbers, each page read in a transaction of its own."""
    for start in range(first, last + 1, READ_TOGETHER):
        async with begin() as work:
            page = await work.receipts.numbered(
                project, start, min(start + READ_TOGETHER - 1, last)
            )
        yield page
