"""Tiles that grow hold the same tree as one made at once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmring_core.transparency.errors import NotInLog
from llmring_core.transparency.tiles import (
    Tile,
    TileName,
    edge_of,
    grown,
    hash_of,
    index_and_width,
    path_of,
    tiles_for,
    width_at,
)
from llmring_core.transparency.tree import (
    Range,
    check_consistency,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    root_including,
)

MOST = 70_000
LEAVES = [leaf_hash(str(number).encode()) for number in range(MOST)]


def tree(*steps: int) -> dict[TileName, Tile]:
    """Return the tiles of a tree that grew by ``steps``."""
    tiles: dict[TileName, Tile] = {}
    size = 0
    for step in steps:
        edge = [tiles[name] for name in edge_of(size)]
        tiles |= {tile.name: tile for tile in grown(edge, size, LEAVES[size : size + step])}
        size += step
    return tiles


def root(size: int) -> bytes:
    level = LEAVES[:size]
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        level = [*map(node_hash, level[::2], level[1::2]), *odd]
    return level[0]


BIG = tree(MOST)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_how_a_tree_grew_does_not_matter(steps: list[int]) -> None:
    assert tree(*steps) == tree(sum(steps))


@settings(max_examples=30)
@given(st.integers(1, MOST))
def test_the_root_of_any_size_comes_from_the_tiles_of_a_larger_tree(size: int) -> None:
    assert hash_of(Range(0, size), BIG) == root(size)


@settings(max_examples=30)
@given(st.integers(1, MOST), st.data())
def test_proofs_come_from_tiles(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(0, size))
    included, consistent = inclusion_path(index, size), consistency_path(old, size)
    few = {name: BIG[name] for name in tiles_for([*included, *consistent])}
    path = [hash_of(one, few) for one in included]
    assert root_including(LEAVES[index], index, size, path) == root(size)
    proof = [hash_of(one, few) for one in consistent]
    check_consistency(old, hash_of(Range(0, old), BIG), size, root(size), proof)


def test_a_tree_of_70000_has_the_tiles_that_the_specification_counts() -> None:
    levels = [
        [tile.width for tile in BIG.values() if tile.name.level == level] for level in (0, 1, 2)
    ]
    assert levels == [[256] * 273 + [112], [256, 17], [1]]


def test_a_tree_of_256_has_a_full_tile_and_one_of_a_single_hash() -> None:
    assert [(tile.name, tile.width) for tile in tree(256).values()] == [
        (TileName(0, 0), 256),
        (TileName(1, 0), 1),
    ]


@pytest.mark.parametrize(
    ("name", "size", "width"),
    [
        (TileName(0, 0), 0, 0),
        (TileName(0, 0), 5, 5),
        (TileName(0, 273), 70_000, 112),
        (TileName(1, 1), 70_000, 17),
        (TileName(2, 0), 70_000, 1),
        (TileName(2, 1), 70_000, 0),
    ],
)
def test_a_tile_is_as_wide_as_the_tree_fills_it(name: TileName, size: int, width: int) -> None:
    assert width_at(name, size) == width


@pytest.mark.parametrize(
    ("path", "index", "width"),
    [
        ("000", 0, 256),
        ("x001/x234/067", 1_234_067, 256),
        ("x001/000.p/7", 1_000, 7),
        ("999.p/255", 999, 255),
    ],
)
def test_a_tile_has_one_address(path: str, index: int, width: int) -> None:
    assert index_and_width(path) == (index, width)
    assert path_of(index, width) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "0",
        "x000/001",
        "1000",
        "x1/000",
        "000.p/0",
        "000.p/256",
        "000.p/01",
        "../000",
        "000/",
        "\u0660\u0660\u0660",
    ],
)
def test_a_tile_has_no_other_address(path: str) -> None:
    with pytest.raises(NotInLog):
        index_and_width(path)
