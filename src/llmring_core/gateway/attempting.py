"""One attempt at one provider: let through, written down, metered, and recorded once."""

from dataclasses import dataclass
from decimal import Decimal

from llmring_core.aside import Aside
from llmring_core.clock import Clock
from llmring_core.errors import Overloaded, Unavailable
from llmring_core.gateway.admission import Admission
from llmring_core.gateway.certifying import Certifier, is_certifiable
from llmring_core.gateway.dialects import TokenCounter, dialect_of
from llmring_core.gateway.errors import PriceUnknown
from llmring_core.gateway.forwarding import (
    Asked,
    Attempt,
    Breaker,
    Call,
    Meter,
    Metered,
    Meters,
    Outcome,
    RecordAttempt,
    is_recorded,
)
from llmring_core.gateway.holding import HoldBudget, SettleHold
from llmring_core.gateway.journal import AttemptJournal, StartedAttempt
from llmring_core.gateway.most import most_of
from llmring_core.ids import HoldId, NewId, UsageId
from llmring_core.registry import CurrentRegistry
from llmring_core.usage import UsageRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """What attempts are made with."""

    breaker: Breaker
    registry: CurrentRegistry
    hold: HoldBudget
    settle: SettleHold
    journal: AttemptJournal
    meters: Meters
    counter: TokenCounter
    aside: Aside
    record: RecordAttempt
    certifier: Certifier
    clock: Clock
    new_id: NewId

    def begin(
        self, call: Call, body: bytes | None, admission: Admission, request_id: str
    ) -> "AttemptUnderWay":
        """Return an attempt of which nothing has happened yet."""
        return AttemptUnderWay(self, call, body, admission, request_id)


class AttemptUnderWay:
    """``enter``, ``write_down``, ``answered``, ``feed``, ``record`` and ``leave``, in this order.

    ``cancel`` stands for the rest where nobody was asked after all.
    """

    def __init__(
        self,
        parts: Attempts,
        call: Call,
        body: bytes | None,
        admission: Admission,
        request_id: str,
    ) -> None:
        self._parts = parts
        self._call = call
        self._body = body  # of the call, where it is JSON
        self._admission = admission
        self._request_id = request_id
        self._id = UsageId(parts.new_id())
        self._meter: Meter | None = None
        self._is_held = False
        self._is_told = False  # the breaker
        self._is_over = not is_recorded(call.method, call.model)
        self.status: int | None = None
        self.mistake: Exception | None = None  # of the meter

    async def enter(self) -> None:
        """Let it through. Whoever was let through leaves.

        Raises CircuitOpen, ParamNotAllowed, PriceUnknown, BudgetUsedUp, StoreUnavailable.
        """
        self._parts.breaker.enter(self._admission.project, self._call.provider.name)
        if not self._admission.is_budgeted or self._is_over:
            return
        try:
            await self._hold()
        except BaseException:
            self.leave()
            raise

    async def write_down(self) -> None:
        """Make it visible, also after a crash. Raises Overloaded, StoreUnavailable."""
        if self._is_over:
            return
        call, admission = self._call, self._admission
        await self._parts.journal.start(
            StartedAttempt(
                id=self._id,
                project=admission.project,
                token=admission.token,
                provider=call.provider.name,
                endpoint=call.endpoint,
                model=call.model,
                request_id=self._request_id,
                started_at=self._parts.clock(),
            )
        )

    def answered(self, status: int, media_type: str, *, is_encoded: bool = False) -> None:
        """Take note of the answer's head. From now on it can be metered, unless it is encoded."""
        self.status = status
        call = self._call
        if is_encoded:
            return
        self._meter = self._parts.meters(
            Asked(
                provider=call.provider.name,
                method=call.method,
                endpoint=call.endpoint,
                model=call.model,
                body=self._body,
                status=status,
                media_type=media_type,
            )
        )

    def feed(self, piece: bytes) -> bool:
        """Let the meter read along; return whether the answer ends with ``piece``."""
        try:
            return self._meter is not None and self._meter.feed(piece)
        except Exception as error:
            self._give_up(error)
            return False

    @property
    def metered(self) -> Metered:
        """What is known so far."""
        try:
            return Metered() if self._meter is None else self._meter.result()
        except Exception as error:
            self._give_up(error)
            return Metered()

    async def record(self, outcome: Outcome, latency_ms: int) -> UsageRecord | None:
        """Commit the record, once, and settle what was held for it; None: there is none to make.

        Raises Overloaded, after which it may be tried again; TotalsOverflow, StoreUnavailable.
        """
        if self._is_over:
            return None
        made = await self._made(outcome, latency_ms)  # counts, and may be told to stop: try again
        self._is_over = True  # also for who stops waiting: it may be committed all the same
        try:
            record = await self._parts.record(made)
        except Overloaded:
            self._is_over = False
            raise
        except BaseException:
            self._parts.journal.give_up(self._id)
            raise
        if self._admission.issues_receipts and is_certifiable(record):
            self._parts.certifier.certify(record)
        await self._end(record)
        return record

    async def cancel(self) -> None:
        """Forget it: nobody was asked."""
        self.leave()
        if not self._is_over:
            self._is_over = True
            await self._end(None)

    def leave(self, works: bool | None = None) -> None:
        """Tell the breaker, once, whether the provider works; None: the attempt did not tell."""
        if not self._is_told:
            self._is_told = True
            project, provider = self._admission.project, self._call.provider.name
            self._parts.breaker.leave(project, provider, works)

    async def _hold(self) -> None:
        """Set aside the most it may come to.

        Raises ParamNotAllowed, PriceUnknown, BudgetUsedUp.
        """
        call, admission = self._call, self._admission
        quote = self._parts.registry.quote(call.provider.name, call.model or "")
        dialect = dialect_of(call.method, call.endpoint, call.provider.name)
        most = most_of(dialect, self._body, quote)
        if most.usd is None and admission.is_usd_limited:
            raise PriceUnknown(call.model)
        usd = most.usd or Decimal(0)
        self._is_held = await self._parts.hold(admission, HoldId(self._id), usd, most.tokens)

    async def _end(self, record: UsageRecord | None) -> None:
        if self._is_held:
            usd = record.cost_usd or Decimal(0) if record else Decimal(0)
            tokens = record.tokens.total if record else 0
            try:
                await self._parts.settle(HoldId(self._id), usd, tokens)
            except Unavailable:
                self._parts.journal.give_up(self._id)  # whoever closes it settles it
                return
        self._parts.journal.end(self._id)

    async def _made(self, outcome: Outcome, latency_ms: int) -> Attempt:
        call, admission = self._call, self._admission
        return Attempt(
            id=self._id,
            project=admission.project,
            token_id=admission.token,
            provider=call.provider.name,
            method=call.method,
            endpoint=call.endpoint,
            model=call.model,
            status=self.status,
            outcome=outcome,
            metered=await self._final(),
            latency_ms=latency_ms,
            request_id=self._request_id,
        )

    async def _final(self) -> Metered:
        """Return what it used; what its provider did not tell is counted, where nobody waits."""
        metered, meter = self.metered, self._meter
        if meter is None or metered.final:
            return metered
        try:
            return await self._parts.aside(lambda: meter.estimated(self._parts.counter))
        except Exception as error:
            self._give_up(error)
            return metered

    def _give_up(self, mistake: Exception) -> None:
        """Go on without the meter: its mistakes are no reason to keep an answer back."""
        self._meter = None
        self.mistake = mistake
