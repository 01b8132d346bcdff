"""Rule: which files we refuse although they are well-formed, and when a registry looks frozen."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from llmring_core.registry.documents import ProviderFile
from llmring_core.registry.model import Snapshot, SourceFile

FROZEN_AFTER = timedelta(days=180)  # since the newest of a registry's files was published


def refusals(files: Iterable[ProviderFile], latest: Snapshot) -> dict[str, str]:
    """Return, by provider, why its file cannot follow the one ``latest`` was made from.

    Source: The Update Framework, rollback attacks; a published version is never rewritten.
    """
    reasons = {
        file.provider: _reason(file.source, latest.sources[file.provider])
        for file in files
        if file.provider in latest.sources
    }
    return {provider: reason for provider, reason in reasons.items() if reason is not None}


def frozen_since(sources: Iterable[SourceFile], now: datetime) -> datetime | None:
    """Return when the newest file was published, if that is too long ago to be believed.

    Whoever cannot change a file may still keep us from seeing its next version. Files that do not
    say when they were published prove nothing.
    """
    dates = [_date(source.updated_at) for source in sources]
    known = [date for date in dates if date is not None]
    newest = max(known, default=now)
    return newest if now - newest > FROZEN_AFTER else None


def _reason(source: SourceFile, seen: SourceFile) -> str | None:
    if source.version < seen.version:
        return f"went back from version {seen.version} to {source.version}"
    if source.version == seen.version and source.digest != seen.digest:
        return f"changed version {source.version} after it was published"
    return None


def _date(stated: str | None) -> datetime | None:
    """Read a date as published: ISO, in UTC where it names no zone."""
    try:
        date = datetime.fromisoformat(stated or "")
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
