"""Rule: what to say of a snapshot in force, before and after the public registry was asked."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from llmring_core.registry.documents import PROVIDERS, ProviderFile
from llmring_core.registry.model import RegistryStatus, Snapshot, Source
from llmring_core.registry.refusals import frozen_since

MAX_REASON = 500  # characters


def unconfirmed(snapshot: Snapshot) -> RegistryStatus:
    """Return the status of a snapshot that comes without the public registry's word."""
    return RegistryStatus(
        version=snapshot.version,
        digest=snapshot.digest,
        source="bundled" if snapshot.origin == "bundled" else "database",
        checked_at=None,
        fresh_at=snapshot.published_at,
        stale=True,
        error="the registry has not been asked yet",
        frozen=False,
        refusals=0,
        last_refusal=None,
    )


def checked(
    before: RegistryStatus,
    snapshot: Snapshot,
    files: Iterable[ProviderFile],
    problems: Mapping[str, str],
    now: datetime,
) -> RegistryStatus:
    """Return the status of ``snapshot`` after a check that gave ``files`` and ``problems``."""
    moved = (snapshot.version, snapshot.digest) != (before.version, before.digest)
    source: Source = "database" if moved else before.source
    reasons = [f"{provider}: {reason}" for provider, reason in problems.items()]
    frozen = frozen_since((file.source for file in files), now) if not problems else None
    if frozen is not None:
        reasons = [f"the registry published nothing since {frozen:%Y-%m-%d}"]
    error = "; ".join(reasons)[:MAX_REASON] or None
    return RegistryStatus(
        version=snapshot.version,
        digest=snapshot.digest,
        source="registry" if len(problems) < len(PROVIDERS) else source,
        checked_at=now,
        fresh_at=before.fresh_at if reasons else now,
        stale=bool(reasons),
        error=error,
        frozen=frozen is not None,
        refusals=before.refusals + len(problems),
        last_refusal=f"{now:%Y-%m-%d %H:%M:%S} UTC {error}" if problems else before.last_refusal,
    )
