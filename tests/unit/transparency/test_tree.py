"""The Merkle tree against its definition, and proofs against every change."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmring_core.transparency.errors import BadProof
from llmring_core.transparency.tree import (
    EMPTY_ROOT,
    Range,
    check_consistency,
    consistency_path,
    inclusion_path,
    leaf_hash,
    root_including,
)

MOST = 300
ENTRIES = [sha256(str(number).encode()).digest() for number in range(MOST)]

# The tree of eight entries that implementations of RFC 6962 compare themselves by.
KNOWN = [
    b"",
    b"\x00",
    b"\x10",
    bytes.fromhex("2021"),
    bytes.fromhex("3031"),
    bytes.fromhex("40414243"),
    bytes.fromhex("5051525354555657"),
    bytes.fromhex("606162636465666768696a6b6c6d6e6f"),
]
KNOWN_ROOT = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"

sizes = st.integers(1, MOST)


def root(entries: list[bytes]) -> bytes:
    """The definition: RFC 6962 section 2.1."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return leaf_hash(entries[0])
    half = 1
    while half * 2 < len(entries):
        half *= 2
    return sha256(b"\1" + root(entries[:half]) + root(entries[half:])).digest()


def hashes(ranges: list[Range]) -> list[bytes]:
    return [root(ENTRIES[one.first : one.end]) for one in ranges]


def test_the_known_tree_has_its_known_root() -> None:
    assert root(KNOWN).hex() == KNOWN_ROOT


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert root([]) == EMPTY_ROOT


@given(sizes, st.data())
def test_an_inclusion_path_leads_to_the_root(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = hashes(inclusion_path(index, size))
    assert root_including(leaf_hash(ENTRIES[index]), index, size, path) == root(ENTRIES[:size])


@given(sizes, st.data())
def test_an_inclusion_path_proves_nothing_else(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda one: one != index) | st.just(-1))
    path = hashes(inclusion_path(index, size))
    with pytest.raises(BadProof):
        assert root_including(leaf_hash(ENTRIES[index]), other, size, path) != root(ENTRIES[:size])
        raise BadProof("another root")


@given(sizes, st.data())
def test_a_longer_or_shorter_path_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = hashes(inclusion_path(index, size))
    for changed in ([*path, ENTRIES[0]], path[:-1]):
        if changed != path:
            with pytest.raises(BadProof):
                root_including(leaf_hash(ENTRIES[index]), index, size, changed)


@given(st.integers(0, MOST), st.integers(0, MOST))
def test_a_tree_continues_each_of_its_beginnings(one: int, another: int) -> None:
    old, new = sorted((one, another))
    path = hashes(consistency_path(old, new))
    check_consistency(old, root(ENTRIES[:old]), new, root(ENTRIES[:new]), path)


@given(sizes, st.data())
def test_a_tree_continues_no_other_tree(old: int, data: st.DataObject) -> None:
    new = data.draw(st.integers(old, MOST))
    forged = [*ENTRIES[: old - 1], b"forged"]
    path = hashes(consistency_path(old, new))
    with pytest.raises(BadProof):
        check_consistency(old, root(forged), new, root(ENTRIES[:new]), path)


@given(st.integers(1, MOST - 1), st.data())
def test_a_changed_consistency_path_is_refused(old: int, data: st.DataObject) -> None:
    new = data.draw(st.integers(old + 1, MOST))
    path = hashes(consistency_path(old, new))
    at = data.draw(st.integers(0, len(path) - 1))
    changed = [*path[:at], bytes(32), *path[at + 1 :]]
    for wrong in (changed, path[:-1], [*path, bytes(32)]):
        with pytest.raises(BadProof):
            check_consistency(old, root(ENTRIES[:old]), new, root(ENTRIES[:new]), wrong)
