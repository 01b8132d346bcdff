"""The difference of two snapshots is exact: the older one and it give the newer one."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.json import Encoder

from llmring_core.registry import Change, Facts, ModelKey, compared
from llmring_core.registry.changes import of_providers

OUTPUT = "dollars_per_million_tokens_output"
CANONICAL = Encoder(decimal_format="number", order="deterministic")

plain = st.none() | st.booleans() | st.integers(-3, 3) | st.decimals(-2, 2, places=3) | st.text()
values = plain | st.lists(plain, max_size=3)
names = st.sampled_from(["openai:a", "openai:b", "google:a", "google:ü"])
members = st.sampled_from([OUTPUT, "is_active", "supports_vision", "tiers", "family"])
snapshots = st.dictionaries(names.map(ModelKey), st.dictionaries(members, values)).map(
    lambda models: {
        key: {**facts, "provider": key.partition(":")[0]} for key, facts in models.items()
    }
)
Models = dict[ModelKey, Facts]


def changed(old: Models, changes: tuple[Change, ...]) -> Models:
    """Return ``old`` after the changes."""
    new: dict[ModelKey, Any] = {key: dict(facts) for key, facts in old.items()}
    for change in changes:
        whole = change.field is None
        place, name = (new, change.model) if whole else (new[change.model], change.field)
        if change.new is UNSET:
            del place[name]
        else:
            place[name] = change.new
    return new


@given(old=snapshots, new=snapshots)
def test_the_older_one_and_the_difference_give_the_newer_one(old: Models, new: Models) -> None:
    assert CANONICAL.encode(changed(old, compared(old, new))) == CANONICAL.encode(new)


@given(old=snapshots, new=snapshots)
def test_the_way_back_is_the_same_the_other_way_round(old: Models, new: Models) -> None:
    there = {(c.model, c.field): (repr(c.old), repr(c.new)) for c in compared(old, new)}
    back = {(c.model, c.field): (repr(c.new), repr(c.old)) for c in compared(new, old)}
    assert there == back


@given(snapshots)
def test_between_equals_there_is_no_difference(models: Models) -> None:
    assert compared(models, models) == ()


@given(old=snapshots, new=snapshots)
def test_changes_are_in_order_and_each_is_told_once(old: Models, new: Models) -> None:
    places = [(c.type, c.model, c.field or "") for c in compared(old, new)]
    assert places == sorted(set(places))


M = ModelKey("openai:m")


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ({OUTPUT: Decimal("0.1")}, {OUTPUT: Decimal("0.10000001")}, "price.changed"),
        ({OUTPUT: Decimal("0.1")}, {OUTPUT: None}, "price.changed"),
        ({}, {OUTPUT: Decimal("0.1")}, "price.changed"),
        ({}, {OUTPUT: None}, "model.updated"),
        ({"is_active": True}, {"is_active": False}, "model.deprecated"),
        ({"is_active": False}, {"is_active": True}, "model.reactivated"),
        ({"max_tools": 1}, {"max_tools": True}, "model.updated"),
        ({"tiers": [1]}, {"tiers": [True]}, "model.updated"),
        ({"family": None}, {}, "model.updated"),
    ],
)
def test_a_change_has_its_type(before: Facts, after: Facts, kind: str) -> None:
    old, new = ({M: {"provider": "openai", **facts}} for facts in (before, after))
    (change,) = compared(old, new)
    assert (change.type, change.provider, change.model) == (kind, "openai", M)


def test_what_is_derived_from_other_members_is_not_told_twice() -> None:
    old = {M: {"provider": "openai", "max_input_tokens": 1, "max_context": 1}}
    new = {M: {"provider": "openai", "max_input_tokens": 2, "max_context": 2}}
    (change,) = compared(old, new)
    assert change.field == "max_input_tokens"


def test_changes_can_be_of_some_providers_only() -> None:
    other = ModelKey("google:m")
    changes = compared({}, {M: {"provider": "openai"}, other: {"provider": "google"}})
    assert [c.model for c in of_providers(changes, frozenset({"OpenAI", "nope"}))] == [M]
    assert of_providers(changes, frozenset()) == changes
