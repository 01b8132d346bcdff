"""Writing down what happened: with the change where there is one, by itself where there is none."""

from dataclasses import dataclass
from typing import Final

from msgspec import json

from llmring_core.clock import Clock
from llmring_core.errors import Unavailable
from llmring_core.gateway.auditing.model import MAX_LINE, AuditEvent, Deed, Origin
from llmring_core.gateway.auditing.ports import AuditWork, DenialBound
from llmring_core.gateway.auditing.texts import brief, clean
from llmring_core.ids import AuditEventId, NewId, ProjectId, TokenId
from llmring_core.transactions import Begin

MAX_ID: Final = 36  # characters
MAX_NAME: Final = 64  # characters of what identifies something


@dataclass(frozen=True, slots=True)
class Record:
    """Write a deed down in the transaction of the deed: neither is there without the other."""

    clock: Clock
    new_id: NewId

    async def __call__(self, work: AuditWork, deed: Deed, origin: Origin) -> None:
        """Every text is cut and cleaned here, and nowhere else."""
        project, token = brief(deed.project, MAX_ID), brief(deed.token, MAX_ID)
        event = AuditEvent(
            id=AuditEventId(self.new_id()),
            happened_at=self.clock(),
            action=deed.action,
            actor=origin.actor,
            outcome=deed.outcome,
            reason=brief(deed.reason, MAX_LINE),
            project=ProjectId(project) if project else None,
            token=TokenId(token) if token else None,
            request_id=brief(origin.request_id, MAX_NAME),
            correlation_id=brief(origin.correlation_id, MAX_NAME),
            client_ip=brief(origin.client_ip, MAX_NAME),
            method=brief(origin.method, MAX_NAME),
            path=brief(origin.path, MAX_LINE),
            user_agent=brief(origin.user_agent, MAX_LINE),
            metadata=clean(json.encode(deed.details).decode()) if deed.details else None,
        )
        await work.audit.append(event)


@dataclass(frozen=True, slots=True)
class RecordAlone:
    """Write a deed down in a transaction of its own: one that changes nothing in the store.

    Who reads is written down after the reading, which so holds up no writer, and before the answer:
    where this fails, there is none.
    """

    begin: Begin[AuditWork]
    record: Record

    async def __call__(self, deed: Deed, origin: Origin) -> None:
        """Raises StoreUnavailable."""
        async with self.begin() as work:
            await self.record(work, deed, origin)


@dataclass(frozen=True, slots=True)
class RecordRefusal:
    """Write down that something was not done.

    Denials are bounded, as anybody can cause them. What is not written down, because there are too
    many or because the store is away, is counted: `RecordLeftOut` tells.
    """

    record: RecordAlone
    bound: DenialBound
    clock: Clock

    async def __call__(self, deed: Deed, origin: Origin) -> None:
        if deed.outcome == "denied" and not self.bound.admits(deed.action, self.clock()):
            return
        try:
            await self.record(deed, origin)
        except Unavailable:  # the refusal stands all the same
            self.bound.leave_out(1)


@dataclass(frozen=True, slots=True)
class RecordLeftOut:
    """Write down how many refusals were not written down since the last time, if there were any."""

    record: RecordAlone
    bound: DenialBound

    async def __call__(self) -> None:
        """Raises StoreUnavailable; then they stay counted."""
        count = self.bound.left_out()
        if not count:
            return
        reason = "too many refusals, or no database to write them down in"
        details = {"left_out": count}
        deed = Deed(action="audit.left_out", outcome="denied", reason=reason, details=details)
        try:
            await self.record(deed, Origin(actor="system"))
        except BaseException:  # also a cancelled task
            self.bound.leave_out(count)
            raise
