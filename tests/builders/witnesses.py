"""A log of numbered leaves that can fork, and a witness in this process that watches it."""

from datetime import UTC, datetime

from llmring_adapters.transparency.local_key import LocalWitnessKey
from llmring_adapters.transparency.witness_book import MemoryWitnessBook
from llmring_core.transparency import (
    AddCheckpoint,
    Checkpoint,
    CosignCheckpoint,
    Leaf,
    LogSigner,
    Note,
    NoteKey,
    Witness,
    WitnessBook,
    leaf_hash,
)
from llmring_core.transparency.tree import Range, consistency_path, folded, node_hash, nodes_of
from tests.builders.transparency import SIGNER, leaves

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
WITNESS_KEY = LocalWitnessKey("witness.example/w1", bytes(range(1, 33)))


class Tree:
    """The hashes of a few leaves, and what can be said of them."""

    def __init__(self, entries: list[Leaf]) -> None:
        self._hashes = [leaf_hash(entry.commitment) for entry in entries]

    def checkpoint(self, size: int, origin: str = SIGNER.key.name) -> Checkpoint:
        return Checkpoint(origin=origin, size=size, root=self._hash(Range(0, size)))

    def path(self, old: int, new: int) -> tuple[bytes, ...]:
        return tuple(self._hash(one) for one in consistency_path(old, new))

    def _hash(self, entries: Range) -> bytes:
        return folded([self._node(*node) for node in nodes_of(entries)])

    def _node(self, level: int, number: int) -> bytes:
        if level == 0:
            return self._hashes[number]
        return node_hash(self._node(level - 1, 2 * number), self._node(level - 1, 2 * number + 1))


TREE = Tree(leaves(0, 40))
FORK = Tree([*leaves(0, 3), *leaves(100, 137)])  # the same first three


def signed(checkpoint: Checkpoint, signer: LogSigner = SIGNER) -> str:
    return Note(text=checkpoint.text, signatures=(signer.sign(checkpoint.text),)).signed


def asking(old: int, new: int, tree: Tree = TREE, path: tuple[bytes, ...] | None = None) -> bytes:
    """The body that asks to cosign the first ``new`` leaves, after ``old``."""
    found = tree.path(old, new) if path is None else path
    asked = AddCheckpoint(old=old, path=found, checkpoint=signed(tree.checkpoint(new)))
    return asked.text.encode()


def witness(book: WitnessBook | None = None) -> CosignCheckpoint:
    return CosignCheckpoint(
        [SIGNER.key], MemoryWitnessBook() if book is None else book, WITNESS_KEY, lambda: NOON
    )


class WitnessHere(Witness):
    """Asks a witness without a network between, and remembers what it was asked."""

    def __init__(self, cosign: CosignCheckpoint) -> None:
        self._cosign = cosign
        self.asked: list[str] = []

    @property
    def key(self) -> NoteKey:
        return self._cosign.signer.key

    async def add(self, body: str) -> str:
        self.asked.append(body)
        return (await self._cosign(body.encode())).text
