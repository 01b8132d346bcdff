"""Rule: how two snapshots differ, so that the older one and the difference give the newer one."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias

from msgspec import UNSET, Struct
from msgspec.json import Encoder

from llmring_core.registry.entries import DERIVED, PRICE, STORAGE_PRICE
from llmring_core.registry.model import Facts, ModelKey

Kind: TypeAlias = Literal[
    "model.added",
    "model.deprecated",
    "model.reactivated",
    "model.removed",
    "model.updated",
    "price.changed",
]

NO_PRICE: Final = (None, UNSET)
_encoder: Final = Encoder(decimal_format="number")


class Change(Struct, frozen=True, kw_only=True):
    """A model that came or went, or one member of a model that stayed."""

    type: Kind
    provider: str
    model: ModelKey
    field: str | None  # None: the whole model
    old: object = UNSET  # absent where there was nothing; numbers are exact
    new: object = UNSET  # absent where there is nothing any more


class Changes(Struct, frozen=True, kw_only=True):
    """What a version changed, compared with another one, by type and model."""

    version: str
    previous: str | None  # what it is compared with; None: with nothing
    published_at: datetime  # UTC
    changes: Sequence[Change]

    def models_by_type(self) -> Mapping[Kind, int]:
        """Return how many models each type of change touched."""
        touched = {(change.type, change.model) for change in self.changes}
        return Counter(kind for kind, _ in touched)


def compared(old: Mapping[ModelKey, Facts], new: Mapping[ModelKey, Facts]) -> tuple[Change, ...]:
    """Return what to change in ``old`` to get ``new``, by type, model and member.

    Members we derive ourselves follow from the others and are left out of models that stayed.
    """
    found = [*_gone(old, new), *_come(old, new)]
    for key in old.keys() & new.keys():
        found += _inside(key, old[key], new[key])
    return tuple(sorted(found, key=lambda change: (change.type, change.model, change.field or "")))


def of_providers(changes: Iterable[Change], providers: frozenset[str]) -> tuple[Change, ...]:
    """Return the changes of these providers' models; of all when none is named."""
    wanted = {provider.casefold() for provider in providers}
    return tuple(c for c in changes if not wanted or c.provider.casefold() in wanted)


def _gone(old: Mapping[ModelKey, Facts], new: Mapping[ModelKey, Facts]) -> Iterator[Change]:
    for key in old.keys() - new.keys():
        yield _change("model.removed", key, old[key], None, old[key], UNSET)


def _come(old: Mapping[ModelKey, Facts], new: Mapping[ModelKey, Facts]) -> Iterator[Change]:
    for key in new.keys() - old.keys():
        yield _change("model.added", key, new[key], None, UNSET, new[key])


def _inside(key: ModelKey, old: Facts, new: Facts) -> Iterator[Change]:
    for member in (old.keys() | new.keys()) - set(DERIVED):
        before, after = old.get(member, UNSET), new.get(member, UNSET)
        if not _same(before, after):
            yield _change(_kind(member, before, after), key, new, member, before, after)


def _change(
    kind: Kind, key: ModelKey, facts: Facts, field: str | None, old: object, new: object
) -> Change:
    return Change(
        type=kind, provider=str(facts["provider"]), model=key, field=field, old=old, new=new
    )


def _kind(member: str, before: object, after: object) -> Kind:
    if member == "is_active":
        return "model.reactivated" if after is True else "model.deprecated"
    is_price = member.startswith(PRICE) or member == STORAGE_PRICE
    if is_price and not (before in NO_PRICE and after in NO_PRICE):
        return "price.changed"
    return "model.updated"


def _same(before: object, after: object) -> bool:
    """Whether both are one JSON value; to Python 1, 1.0 and True are the same, inside lists too."""
    if before is UNSET or after is UNSET:
        return before is after
    return _encoder.encode(before) == _encoder.encode(after)
