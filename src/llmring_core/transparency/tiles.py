"""Rule: how the tree is cut into tiles that never change once they are full.

Source: C2SP tlog-tiles. A tile holds up to 256 hashes of one level; the levels in between are
computed from them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

from llmring_core.transparency.errors import NotInLog
from llmring_core.transparency.tree import HASH_BYTES, Node, Range, folded, nodes_of, root_over

HEIGHT = 8  # levels of the tree in one tile
WIDTH = 1 << HEIGHT
REMEMBERED = 4  # levels that are worth looking up: 16 hashes
MAX_LEVEL = 5  # 256^6 entries are more than there will be

_PATH = re.compile(r"((?:x\d{3}/){0,4}\d{3})(?:\.p/([1-9]\d{0,2}))?", re.ASCII)


class TileName(NamedTuple):
    """Where a tile stands."""

    level: int
    number: int


class Tile(Struct, frozen=True, kw_only=True):
    name: TileName
    hashes: bytes  # 32 bytes each, from left to right

    @property
    def width(self) -> int:
        return len(self.hashes) // HASH_BYTES


def tile_of(node: Node) -> TileName:
    """Return the tile from which a node's hash is computed."""
    level = node.level // HEIGHT
    return TileName(level, node.number << node.level - level * HEIGHT >> HEIGHT)


def hash_in(tile: Tile, node: Node) -> bytes:
    """Return a node's hash from its tile. Raises NotInLog when the tile is not that wide yet."""
    height = node.level - tile.name.level * HEIGHT
    first = (node.number << height) - (tile.name.number << HEIGHT)
    if not 0 <= first < first + (1 << height) <= tile.width:
        raise NotInLog("the log is not that large")
    hashes = tile.hashes[first * HASH_BYTES : (first + (1 << height)) * HASH_BYTES]
    return root_over(hashes) if height < REMEMBERED else _remembered(hashes)


def width_at(name: TileName, size: int) -> int:
    """Return how many hashes a tile has in a tree of ``size``; 0 when it has no such tile."""
    hashes = size >> HEIGHT * name.level
    return min(max(hashes - name.number * WIDTH, 0), WIDTH)


def index_and_width(path: str) -> tuple[int, int]:
    """Read what follows the level in a tile's address, such as ``x001/234.p/5``.

    Raises: NotInLog.
    """
    match = _PATH.fullmatch(path)
    if match is None or int(match[2] or 0) >= WIDTH:
        raise NotInLog("no tile has this address")
    digits = match[1].replace("x", "").replace("/", "")
    if len(digits) > 3 and digits.startswith("000"):
        raise NotInLog("no tile has this address")
    return int(digits), int(match[2] or WIDTH)


def path_of(index: int, width: int) -> str:
    """Write the part of a tile's address that follows the level."""
    parts = [f"{index % 1000:03d}"]
    while index := index // 1000:
        parts.insert(0, f"x{index % 1000:03d}")
    partial = f".p/{width}" if width < WIDTH else ""
    return "/".join(parts) + partial


def edge_of(size: int) -> list[TileName]:
    """Return the tiles that are neither empty nor full in a tree of ``size``."""
    edge = []
    for level in range(MAX_LEVEL + 1):
        hashes = size >> HEIGHT * level
        if hashes % WIDTH:
            edge.append(TileName(level, hashes >> HEIGHT))
    return edge


def grown(edge: Iterable[Tile], size: int, leaves: Sequence[bytes]) -> list[Tile]:
    """Return the tiles that change when a tree of ``size`` gets ``leaves``, as they become.

    ``edge`` are the tiles of ``edge_of(size)``, ``leaves`` the hashes of the new entries.
    """
    begun = {tile.name: tile.hashes for tile in edge}
    changed = []
    level, added = 0, list(leaves)
    while added:
        filled = []
        index, held = divmod(size >> HEIGHT * level, WIDTH)
        while added:
            name = TileName(level, index)
            room = WIDTH - held
            tile = Tile(name=name, hashes=begun.get(name, b"") + b"".join(added[:room]))
            changed.append(tile)
            if tile.width == WIDTH:
                filled.append(hash_in(tile, Node((level + 1) * HEIGHT, index)))
            index, held, added = index + 1, 0, added[room:]
        level, added = level + 1, filled
    return changed


def hash_of(entries: Range, tiles: Mapping[TileName, Tile]) -> bytes:
    """Return the hash of a range from the tiles of ``tiles_for``. Raises NotInLog."""
    hashes = []
    for node in nodes_of(entries):
        tile = tiles.get(tile_of(node))
        if tile is None:
            raise NotInLog("the log is not that large")
        hashes.append(hash_in(tile, node))
    return folded(hashes)


def tiles_for(ranges: Iterable[Range]) -> set[TileName]:
    """Return the tiles from which the hashes of ``ranges`` are computed."""
    return {tile_of(node) for entries in ranges for node in nodes_of(entries)}


# Whoever proves entries of a large log computes the nodes near its root again and again. What has
# been computed stays true: it depends on nothing but the hashes. 512 of them take 1 MB.
_remembered = lru_cache(maxsize=512)(root_over)
