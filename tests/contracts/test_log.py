"""What the transparency log promises, on every backend."""

import asyncio

import pytest

from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.transparency.local_key import LocalLogKey
from llmring_core.transactions import Begin
from llmring_core.transparency import (
    EMPTY_ROOT,
    Checkpoint,
    ContinueLog,
    InclusionProof,
    Leaf,
    NotInLog,
    ProveConsistency,
    ReadCheckpoint,
    ReadEntries,
    ReadTile,
    UnsignedCheckpoint,
    check_consistency,
    check_inclusion,
    leaf_hash,
    proved,
    verified_checkpoint,
)
from tests.builders.transparency import SALT, SIGNER, leaf, leaves


async def added(begin: Begin[AllWork], some: list[Leaf]) -> None:
    async with begin() as work:
        await work.log.add(some)


async def grown(begin: Begin[AllWork], *steps: int) -> None:
    """Let the log grow by so many leaves at a time."""
    size = 0
    for step in steps:
        await added(begin, leaves(size, size + step))
        assert await ContinueLog(begin, begin, SIGNER)() == step
        size += step


async def checkpoint(begin: Begin[AllWork]) -> Checkpoint:
    published = await ReadCheckpoint(begin)()
    found, _ = verified_checkpoint(published.note, SIGNER.key)
    assert found.size == published.size
    return found


async def proof_of(begin: Begin[AllWork], leaf: str, salt: bytes) -> InclusionProof:
    async with begin() as work:
        return await proved(work.log, leaf, salt)


class TestLog:
    async def test_has_no_checkpoint_before_the_first(self, begin: Begin[AllWork]) -> None:
        with pytest.raises(NotInLog):
            await ReadCheckpoint(begin)()

    async def test_proves_nothing_before_the_first(self, begin: Begin[AllWork]) -> None:
        await added(begin, [leaf(0)])
        with pytest.raises(NotInLog):
            await proof_of(begin, leaf(0).id, SALT)

    async def test_an_empty_log_signs_the_empty_tree(self, begin: Begin[AllWork]) -> None:
        assert await ContinueLog(begin, begin, SIGNER)() == 0
        found = await checkpoint(begin)
        assert (found.size, found.root) == (0, EMPTY_ROOT)

    async def test_entries_keep_the_order_in_which_they_came(self, begin: Begin[AllWork]) -> None:
        await grown(begin, 3, 2)
        bundle = await ReadEntries(begin)("000.p/5")
        assert bundle == b"".join(b"\0\x20" + one.commitment for one in leaves(0, 5))

    async def test_tiles_hold_the_hashes_of_the_entries(self, begin: Begin[AllWork]) -> None:
        await grown(begin, 3, 2)
        hashes = [leaf_hash(one.commitment) for one in leaves(0, 5)]
        assert await ReadTile(begin)(0, "000.p/5") == b"".join(hashes)
        assert await ReadTile(begin)(0, "000.p/3") == b"".join(hashes[:3])

    @pytest.mark.parametrize("path", ["000", "000.p/6", "001.p/1", "nonsense"])
    async def test_has_no_tile_it_has_not_filled(self, begin: Begin[AllWork], path: str) -> None:
        await grown(begin, 5)
        with pytest.raises(NotInLog):
            await ReadTile(begin)(0, path)
        with pytest.raises(NotInLog):
            await ReadEntries(begin)(path)

    async def test_every_entry_can_be_proved(self, begin: Begin[AllWork]) -> None:
        await grown(begin, 255, 2, 20)
        for number in (0, 1, 254, 255, 256, 257, 276):
            proof = await proof_of(begin, leaf(number).id, SALT)
            verified_checkpoint(proof.checkpoint, SIGNER.key)
            check_inclusion(proof, leaf(number).commitment)
            assert proof.index == number

    async def test_every_history_can_be_proved(self, begin: Begin[AllWork]) -> None:
        roots = [EMPTY_ROOT]
        sizes = [0]
        for step in (1, 255, 1, 40):
            size = sizes[-1]
            await added(begin, leaves(size, size + step))
            await ContinueLog(begin, begin, SIGNER)()
            found = await checkpoint(begin)
            sizes.append(found.size)
            roots.append(found.root)
        for i, old in enumerate(sizes):
            for j, new in enumerate(sizes[i:], i):
                path = await ProveConsistency(begin)(old, new)
                check_consistency(old, roots[i], new, roots[j], path)

    @pytest.mark.parametrize(("old", "new"), [(0, 6), (4, 3), (-1, 3)])
    async def test_proves_no_history_it_has_not(
        self, begin: Begin[AllWork], old: int, new: int
    ) -> None:
        await grown(begin, 5)
        with pytest.raises(NotInLog):
            await ProveConsistency(begin)(old, new)

    async def test_a_leaf_that_waits_cannot_be_proved_yet(self, begin: Begin[AllWork]) -> None:
        await grown(begin, 2)
        await added(begin, [leaf(2)])
        with pytest.raises(NotInLog):
            await proof_of(begin, leaf(2).id, SALT)

    async def test_a_leaf_goes_with_its_transaction(self, begin: Begin[AllWork]) -> None:
        with pytest.raises(RuntimeError):
            async with begin() as work:
                await work.log.add([leaf(0)])
                raise RuntimeError
        await ContinueLog(begin, begin, SIGNER)()
        assert (await checkpoint(begin)).size == 0

    async def test_whoever_fails_while_continuing_the_log_has_done_nothing(
        self, begin: Begin[AllWork]
    ) -> None:
        await grown(begin, 2)
        before = await checkpoint(begin)
        await added(begin, leaves(2, 5))
        with pytest.raises(RuntimeError):
            async with begin() as work:
                await work.sequence.claim()
                await work.sequence.place(await work.sequence.waiting(10), 2)
                raise RuntimeError
        assert await checkpoint(begin) == before
        assert await ContinueLog(begin, begin, SIGNER)() == 3
        entries = await ReadEntries(begin)("000.p/5")
        assert entries == b"".join(b"\0\x20" + one.commitment for one in leaves(0, 5))

    async def test_many_who_add_and_continue_at_once_make_one_log(
        self, begin: Begin[AllWork]
    ) -> None:
        async def one(number: int) -> None:
            await added(begin, [leaf(number)])
            await ContinueLog(begin, begin, SIGNER)()

        await asyncio.gather(*map(one, range(40)))
        while await ContinueLog(begin, begin, SIGNER)():
            pass
        found = await checkpoint(begin)
        assert found.size == 40
        positions = set()
        for number in range(40):
            proof = await proof_of(begin, leaf(number).id, SALT)
            check_inclusion(proof, leaf(number).commitment)
            positions.add(proof.index)
        assert positions == set(range(40))

    async def test_two_keys_never_sign_one_log(self, begin: Begin[AllWork]) -> None:
        await grown(begin, 3)
        await added(begin, leaves(3, 5))
        with pytest.raises(UnsignedCheckpoint):
            await ContinueLog(begin, begin, LocalLogKey(SIGNER.key.name, bytes(32)))()
        assert (await checkpoint(begin)).size == 3
        assert await ContinueLog(begin, begin, SIGNER)() == 2

    async def test_nothing_new_makes_no_new_checkpoint(self, begin: Begin[AllWork]) -> None:
        await grown(begin, 2)
        before = await ReadCheckpoint(begin)()
        assert await ContinueLog(begin, begin, SIGNER)() == 0
        assert await ReadCheckpoint(begin)() == before
