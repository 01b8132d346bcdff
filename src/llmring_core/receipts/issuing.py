"""Rule: the receipt of one call."""

from datetime import datetime

from msgspec import to_builtins
from msgspec.structs import asdict

from llmring_core.canonical import canonical
from llmring_core.money import plain
from llmring_core.receipts.model import Cost, KeyId, Receipt, ReceiptId, Registry, Usage
from llmring_core.usage import UsageRecord


def receipt_of(
    record: UsageRecord,
    *,
    id: ReceiptId,
    seq: int,
    issued_at: datetime,
    key_id: KeyId,
    lock_digest: str | None = None,
    in_ledger: bool = True,
) -> Receipt:
    """Return the receipt of ``record``; ``in_ledger`` tells whether the ledger has it too."""
    registry = None
    if record.registry_version is not None and record.registry_digest is not None:
        registry = Registry(version=record.registry_version, digest=record.registry_digest)
    return Receipt(
        type="llmring.receipt",
        v=2,
        id=id,
        project=record.project,
        seq=seq,
        issued_at=instant(issued_at),
        key_id=key_id,
        provider=record.provider,
        model=record.model,
        alias=record.alias,
        profile=record.profile,
        lock_digest=lock_digest,
        usage_id=record.id if in_ledger else None,
        called_at=instant(record.at),
        usage=Usage(**asdict(record.tokens), source=record.usage_source),
        cost=Cost(
            amount=None if record.cost_usd is None else plain(record.cost_usd),
            currency="USD",
            status=record.cost_status,
            rounding="half-even-12",
            lines=record.rates,
        ),
        registry=registry,
    )


def signed_bytes(receipt: Receipt) -> bytes:
    """Return the RFC 8785 form of ``receipt``. Raises NotCanonical."""
    return canonical(to_builtins(receipt))


def instant(at: datetime) -> str:
    """Write an instant of UTC with microseconds: ``2026-11-20T12:00:00.000000Z``."""
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"
