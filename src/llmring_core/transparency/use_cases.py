"""What the transparency context does. Writes first, reads after."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmring_core.transactions import Begin
from llmring_core.transparency.checkpoints import Checkpoint, verified_checkpoint
from llmring_core.transparency.errors import NotInLog
from llmring_core.transparency.notes import Note, NoteKey
from llmring_core.transparency.ports import (
    LogBook,
    LogSigner,
    LogWork,
    Published,
    SequencingWork,
)
from llmring_core.transparency.proofs import InclusionProof
from llmring_core.transparency.tiles import (
    WIDTH,
    TileName,
    edge_of,
    grown,
    hash_of,
    index_and_width,
    tiles_for,
    width_at,
)
from llmring_core.transparency.tree import (
    EMPTY_ROOT,
    HASH_BYTES,
    Range,
    consistency_path,
    inclusion_path,
    leaf_hash,
)

MAX_TOGETHER = 5_000  # leaves in one transaction


@dataclass(frozen=True, slots=True)
class ContinueLog:
    """Give waiting leaves their places, and sign a checkpoint of the tree they make.

    All of it is one transaction: whoever dies in the middle has done nothing, and of several
    servers one at a time does it. So no place is left out, given twice or taken back.
    """

    begin: Begin[SequencingWork]
    read: Begin[SequencingWork]
    signer: LogSigner

    async def __call__(self) -> int:
        """Return how many leaves got a place.

        Raises: BadNote, UnsignedCheckpoint when somebody else's key signed the log so far.
        """
        async with self.read() as work:  # mostly there is nothing to do: no lock is needed for that
            if await work.log.newest() is not None and not await work.sequence.waiting(1):
                return 0
        async with self.begin() as work:
            if not await work.sequence.claim():
                return 0
            last = await work.log.newest()
            if last is not None:
                verified_checkpoint(last.note, self.signer.key)  # two keys never sign one log
            leaves = await work.sequence.waiting(MAX_TOGETHER)
            if last is not None and not leaves:
                return 0
            size = 0 if last is None else last.size
            edge = await work.log.tiles(edge_of(size))
            changed = grown(edge.values(), size, [leaf_hash(leaf.commitment) for leaf in leaves])
            await work.sequence.place(leaves, size)
            await work.sequence.put_tiles(changed)
            tiles = edge | {tile.name: tile for tile in changed}
            whole = Range(0, size + len(leaves))
            root = hash_of(whole, tiles) if whole.end else EMPTY_ROOT
            await work.sequence.publish(self._signed(whole.end, root))
        return len(leaves)

    def _signed(self, size: int, root: bytes) -> Published:
        checkpoint = Checkpoint(origin=self.signer.key.name, size=size, root=root)
        line = self.signer.sign(checkpoint.text)
        return Published(size=size, note=Note(text=checkpoint.text, signatures=(line,)).signed)


@dataclass(frozen=True, slots=True)
class ReadLogKey:
    """Read the key that checkpoints are signed with."""

    signer: LogSigner

    async def __call__(self) -> NoteKey:
        return self.signer.key


@dataclass(frozen=True, slots=True)
class ReadCheckpoint:
    """Read what the log last said of itself."""

    begin: Begin[LogWork]

    async def __call__(self) -> Published:
        """Raises NotInLog before the first checkpoint."""
        async with self.begin() as work:
            return await _newest(work.log)


@dataclass(frozen=True, slots=True)
class ReadTile:
    """Read a tile of hashes, by its address."""

    begin: Begin[LogWork]

    async def __call__(self, level: int, path: str) -> bytes:
        """Return its hashes, 32 bytes each. Raises NotInLog."""
        index, width = index_and_width(path)
        name = TileName(level, index)
        async with self.begin() as work:
            published = await _newest(work.log)
            if width_at(name, published.size) < width:
                raise NotInLog("the log has no such tile yet")
            tile = (await work.log.tiles([name]))[name]
        return tile.hashes[: width * HASH_BYTES]


@dataclass(frozen=True, slots=True)
class ReadEntries:
    """Read a bundle of entries, by its address."""

    begin: Begin[LogWork]

    async def __call__(self, path: str) -> bytes:
        """Return entries, each after its length in two bytes. Raises NotInLog."""
        index, width = index_and_width(path)
        async with self.begin() as work:
            published = await _newest(work.log)
            if width_at(TileName(0, index), published.size) < width:
                raise NotInLog("the log has no such entries yet")
            entries = await work.log.commitments(index * WIDTH, width)
        return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


@dataclass(frozen=True, slots=True)
class ProveConsistency:
    """Show that the log of some size is the beginning of a larger one."""

    begin: Begin[LogWork]

    async def __call__(self, old: int, new: int) -> tuple[bytes, ...]:
        """Raises NotInLog when the log was never that large, or ``old`` is the larger one."""
        async with self.begin() as work:
            published = await _newest(work.log)
            if not 0 <= old <= new <= published.size:
                raise NotInLog(f"sizes must be in order, from 0 to {published.size}")
            return await _hashes(work.log, consistency_path(old, new))


async def proved(log: LogBook, leaf: str, salt: bytes) -> InclusionProof:
    """Return the proof of a leaf in the newest checkpoint. Raises NotInLog."""
    newest, index = await log.placed(leaf)
    published = _begun(newest)
    if index is None or index >= published.size:
        raise NotInLog("the log takes entries in once a second; ask again in a moment")
    path = await _hashes(log, inclusion_path(index, published.size))
    return InclusionProof(salt=salt, index=index, path=path, checkpoint=published.note)


async def _newest(log: LogBook) -> Published:
    return _begun(await log.newest())


def _begun(newest: Published | None) -> Published:
    if newest is None:
        raise NotInLog("the log has no checkpoint yet; ask again in a moment")
    return newest


async def _hashes(log: LogBook, ranges: Sequence[Range]) -> tuple[bytes, ...]:
    tiles = await log.tiles(tiles_for(ranges))
    return tuple(hash_of(one, tiles) for one in ranges)
