"""Rule: the Merkle tree over the log's entries, and what proves something about it.

Source: RFC 6962 section 2.1 for the hashes, RFC 9162 sections 2.1.3 and 2.1.4 for the checks.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from llmring_core.transparency.errors import BadProof

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


class Node(NamedTuple):
    """A complete subtree: the entries ``number << level`` up to ``(number + 1) << level``."""

    level: int
    number: int


class Range(NamedTuple):
    """The entries from ``first`` up to, but without, ``end``."""

    first: int
    end: int


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def root_over(hashes: bytes) -> bytes:
    """Return the root over a complete subtree's lowest ``hashes``, 32 bytes each."""
    while len(hashes) > HASH_BYTES:
        pairs = range(0, len(hashes), 2 * HASH_BYTES)
        above = [sha256(b"\1" + hashes[one : one + 2 * HASH_BYTES]).digest() for one in pairs]
        hashes = b"".join(above)
    return hashes


def folded(hashes: Sequence[bytes]) -> bytes:
    """Return the root over complete subtrees that stand side by side, the largest first."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


class TreeHead:
    """The root of a tree that grows by one entry at a time and does not keep them."""

    def __init__(self) -> None:
        self._size = 0
        self._complete: list[bytes] = []  # the roots of its complete subtrees, the largest first

    def append(self, leaf: bytes) -> None:
        """``leaf`` is the hash of the new entry."""
        size, root = self._size, leaf
        while size & 1:
            root = node_hash(self._complete.pop(), root)
            size >>= 1
        self._complete.append(root)
        self._size += 1

    @property
    def root(self) -> bytes:
        return folded(self._complete)


def nodes_of(entries: Range) -> list[Node]:
    """Return the complete subtrees that make up ``entries``, from left to right.

    ``entries`` are a range that RFC 6962 gives a hash of its own: they start at a multiple of the
    smallest power of two that is not below their number.
    """
    nodes = []
    first = entries.first
    while first < entries.end:
        level = (entries.end - first).bit_length() - 1
        nodes.append(Node(level, first >> level))
        first += 1 << level
    return nodes


def inclusion_path(index: int, size: int) -> list[Range]:
    """Return the ranges whose hashes prove entry ``index`` in a tree of ``size``, bottom up."""
    path = []
    first, end = 0, size
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            path.append(Range(middle, end))
            end = middle
        else:
            path.append(Range(first, middle))
            first = middle
    return path[::-1]


def consistency_path(old: int, new: int) -> list[Range]:
    """Return the ranges whose hashes prove that a tree of ``new`` continues one of ``old``."""
    if old in (0, new):
        return []
    path = []
    first, end, known = 0, new, True  # whether the old tree's root is the whole of first to end
    while end != old:
        middle = first + _split(end - first)
        if old <= middle:
            path.append(Range(middle, end))
            end = middle
        else:
            path.append(Range(first, middle))
            first, known = middle, False
    if not known:
        path.append(Range(first, end))
    return path[::-1]


def root_including(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root of a tree of ``size`` that has ``leaf`` at ``index``, given its path.

    Raises: BadProof when no tree has such a path.
    Source: RFC 9162 section 2.1.3.2.
    """
    if not 0 <= index < size:
        raise BadProof("the entry is not within the tree")
    position, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise BadProof("the path is too long")
        if position & 1 or position == last:
            root = node_hash(sibling, root)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise BadProof("the path is too short")
    return root


def check_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Check that the tree of ``new`` entries starts with the ``old`` ones.

    Raises: BadProof.
    Source: RFC 9162 section 2.1.4.2.
    """
    if not 0 <= old <= new:
        raise BadProof("the older tree is the larger one")
    if old in (0, new):
        if path:
            raise BadProof("the path is too long")
        if old_root != (new_root if old == new else EMPTY_ROOT):
            raise BadProof("the roots differ")
        return
    if not path:
        raise BadProof("the path is too short")
    hashes = list(path) if old & (old - 1) else [old_root, *path]
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    from_old = from_new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise BadProof("the path is too long")
        if position & 1 or position == last:
            from_old, from_new = node_hash(sibling, from_old), node_hash(sibling, from_new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            from_new = node_hash(from_new, sibling)
        position, last = position >> 1, last >> 1
    if last or from_old != old_root or from_new != new_root:
        raise BadProof("the newer tree does not continue the older one")


def _split(size: int) -> int:
    """Return the largest power of two below ``size``: how many entries the left half has."""
    return 1 << (size - 1).bit_length() - 1
