"""The log in dictionaries."""

from collections.abc import Collection, Sequence

from llmring_adapters.journal import Journal, JournaledDict
from llmring_core.transparency import (
    Leaf,
    LogBook,
    LogSequence,
    Published,
    Tile,
    TileName,
)


class MemoryLog(LogBook, LogSequence):
    def __init__(self, journal: Journal) -> None:
        self._pending: JournaledDict[int, Leaf] = JournaledDict(journal)  # by when it came
        self._entries: JournaledDict[int, Leaf] = JournaledDict(journal)
        self._places: JournaledDict[str, int] = JournaledDict(journal)
        self._tiles: JournaledDict[TileName, Tile] = JournaledDict(journal)
        self._checkpoints: JournaledDict[int, Published] = JournaledDict(journal)
        self._came = 0

    async def add(self, leaves: Sequence[Leaf]) -> None:
        for leaf in leaves:
            self._came += 1
            self._pending[self._came] = leaf

    async def newest(self) -> Published | None:
        return max(self._checkpoints.values(), key=lambda one: one.size, default=None)

    async def tiles(self, names: Collection[TileName]) -> dict[TileName, Tile]:
        return {name: self._tiles[name] for name in names if name in self._tiles}

    async def placed(self, leaf: str) -> tuple[Published | None, int | None]:
        return await self.newest(), self._places.get(leaf)

    async def find(self, leaves: Collection[str]) -> dict[str, bytes]:
        known = (*self._pending.values(), *self._entries.values())
        return {leaf.id: leaf.commitment for leaf in known if leaf.id in leaves}

    async def commitments(self, first: int, count: int) -> list[bytes]:
        places = range(first, min(first + count, len(self._entries)))
        return [self._entries[place].commitment for place in places]

    async def claim(self) -> bool:
        return True  # transactions run one after the other

    async def waiting(self, limit: int) -> list[Leaf]:
        return [self._pending[number] for number in sorted(self._pending)[:limit]]

    async def place(self, leaves: Sequence[Leaf], first: int) -> None:
        placed = {leaf.id for leaf in leaves}
        for number in [one for one, leaf in self._pending.items() if leaf.id in placed]:
            del self._pending[number]
        for place, leaf in enumerate(leaves, first):
            self._entries[place] = leaf
            self._places[leaf.id] = place

    async def put_tiles(self, tiles: Sequence[Tile]) -> None:
        for tile in tiles:
            self._tiles[tile.name] = tile

    async def publish(self, checkpoint: Published) -> None:
        self._checkpoints[checkpoint.size] = checkpoint
