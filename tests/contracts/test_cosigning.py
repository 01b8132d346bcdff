"""How a log gets its witnesses' cosignatures, on every backend."""

import asyncio

import pytest

from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.transparency.local_key import LocalWitnessKey
from llmring_adapters.transparency.witness_book import MemoryWitnessBook
from llmring_core.transactions import Begin
from llmring_core.transparency import (
    AskWitness,
    BadNote,
    ContinueLog,
    CosignCheckpoint,
    InclusionProof,
    NoteKey,
    OtherTree,
    ProveConsistency,
    ReadCheckpoint,
    Witness,
    WitnessUnavailable,
    add_checkpoint_in,
    proved,
    verified_checkpoint,
)
from tests.builders.transparency import SALT, SIGNER, leaf, leaves
from tests.builders.witnesses import FORK, NOON, WITNESS_KEY, WitnessHere, asking, witness

SECOND_KEY = LocalWitnessKey("witness.example/w2", bytes(range(2, 34)))


async def grown(begin: Begin[AllWork], first: int, end: int) -> None:
    async with begin() as work:
        await work.log.add(leaves(first, end))
    await ContinueLog(begin, begin, SIGNER)()


def asked(begin: Begin[AllWork]) -> AskWitness:
    return AskWitness(begin, begin, ProveConsistency(begin))


async def cosigners(begin: Begin[AllWork], *keys: NoteKey) -> tuple[int, list[NoteKey]]:
    published = await ReadCheckpoint(begin)()
    checkpoint, found = verified_checkpoint(published.note, SIGNER.key, keys)
    assert published.size == checkpoint.size
    return published.size, found


def second() -> CosignCheckpoint:
    return CosignCheckpoint([SIGNER.key], MemoryWitnessBook(), SECOND_KEY, lambda: NOON)


async def proof_of(begin: Begin[AllWork], leaf: str, salt: bytes) -> InclusionProof:
    async with begin() as work:
        return await proved(work.log, leaf, salt)


class TestAskWitness:
    async def test_before_the_log_there_is_nothing_to_ask(self, begin: Begin[AllWork]) -> None:
        here = WitnessHere(witness())
        assert await asked(begin)(here, 0) == 0
        assert here.asked == []

    async def test_the_cosignature_is_published_and_part_of_every_proof(
        self, begin: Begin[AllWork]
    ) -> None:
        await grown(begin, 0, 5)
        assert await asked(begin)(WitnessHere(witness()), 0) == 5
        assert await cosigners(begin, WITNESS_KEY.key) == (5, [WITNESS_KEY.key])
        proof = await proof_of(begin, leaf(3).id, SALT)
        _, found = verified_checkpoint(proof.checkpoint, SIGNER.key, [WITNESS_KEY.key])
        assert found == [WITNESS_KEY.key]

    async def test_it_is_asked_once_for_each_checkpoint_from_where_it_stands(
        self, begin: Begin[AllWork]
    ) -> None:
        here, known = WitnessHere(witness()), 0
        for end in (5, 6, 23):
            await grown(begin, known, end)
            for _ in range(2):
                known = await asked(begin)(here, known)
            assert await cosigners(begin, here.key) == (end, [here.key])
        assert [add_checkpoint_in(body.encode()).old for body in here.asked] == [0, 5, 6]

    @pytest.mark.parametrize("believed", [0, 3, 9, 99])
    async def test_a_witness_that_stands_elsewhere_says_where(
        self, begin: Begin[AllWork], believed: int
    ) -> None:
        here = WitnessHere(witness())
        await grown(begin, 0, 5)
        await asked(begin)(here, 0)
        await grown(begin, 5, 9)
        assert await asked(begin)(here, believed) == 9
        assert await cosigners(begin, here.key) == (9, [here.key])

    async def test_several_cosign_one_after_the_other(self, begin: Begin[AllWork]) -> None:
        await grown(begin, 0, 5)
        for one in (witness(), second()):
            await asked(begin)(WitnessHere(one), 0)
        keys = [WITNESS_KEY.key, SECOND_KEY.key]
        assert await cosigners(begin, *keys) == (5, keys)

    async def test_several_cosign_at_once_and_none_is_lost(self, begin: Begin[AllWork]) -> None:
        await grown(begin, 0, 5)
        everybody = [WitnessHere(witness()), WitnessHere(second())]

        async def until_cosigned(here: WitnessHere) -> None:
            while here.key not in (await cosigners(begin, here.key))[1]:
                await asked(begin)(here, 0)

        await asyncio.gather(*(until_cosigned(one) for one in everybody * 3))
        keys = [WITNESS_KEY.key, SECOND_KEY.key]
        assert set(await cosigners_of(begin, keys)) == {key.name for key in keys}
        assert (await ReadCheckpoint(begin)()).note.count("— ") == 3

    async def test_a_log_that_went_on_keeps_its_newest_checkpoint(
        self, begin: Begin[AllWork]
    ) -> None:
        class WhileItGrows(WitnessHere):
            async def add(self, body: str) -> str:
                answer = await super().add(body)
                await grown(begin, 5, 7)
                return answer

        await grown(begin, 0, 5)
        here = WhileItGrows(witness())
        assert await asked(begin)(here, 0) == 5
        assert await cosigners(begin, here.key) == (7, [])

    async def test_another_server_of_this_log_may_be_faster(self, begin: Begin[AllWork]) -> None:
        class AskedByAnother(WitnessHere):
            async def add(self, body: str) -> str:
                if not self.asked:
                    await grown(begin, 5, 9)
                    await asked(begin)(WitnessHere(cosign), 0)
                return await super().add(body)

        cosign = witness()
        await grown(begin, 0, 5)
        assert await asked(begin)(AskedByAnother(cosign), 0) == 9
        assert await cosigners(begin, WITNESS_KEY.key) == (9, [WITNESS_KEY.key])
        assert (await ReadCheckpoint(begin)()).note.count("— ") == 2

    @pytest.mark.parametrize("backend", ["postgres"])  # elsewhere a writing transaction is alone
    async def test_a_cosignature_does_not_come_between_who_continues_the_log(
        self, begin: Begin[AllWork]
    ) -> None:
        await grown(begin, 0, 5)
        async with begin() as work:
            assert await work.sequence.claim()
            await asked(begin)(WitnessHere(witness()), 0)
        assert await cosigners(begin, WITNESS_KEY.key) == (5, [])

    async def test_a_witness_of_another_history_is_heard_of(self, begin: Begin[AllWork]) -> None:
        await grown(begin, 0, 5)
        for size in (5, 7):
            cosign = witness()
            await cosign(asking(0, size, FORK))
            with pytest.raises(OtherTree):
                await asked(begin)(WitnessHere(cosign), 0)
        assert await cosigners(begin, WITNESS_KEY.key) == (5, [])

    @pytest.mark.parametrize(
        "answer", ["", "garbage", SECOND_KEY.cosign("x\n", 1).text, WITNESS_KEY.cosign("x", 1).text]
    )
    async def test_an_answer_that_is_none_is_not_published(
        self, begin: Begin[AllWork], answer: str
    ) -> None:
        await grown(begin, 0, 5)
        before = await ReadCheckpoint(begin)()
        with pytest.raises(BadNote):
            await asked(begin)(Saying(answer), 0)
        assert await ReadCheckpoint(begin)() == before

    async def test_a_witness_that_is_away_is_left_out(self, begin: Begin[AllWork]) -> None:
        await grown(begin, 0, 5)
        with pytest.raises(WitnessUnavailable):
            await asked(begin)(Saying(None), 0)
        assert await cosigners(begin, WITNESS_KEY.key) == (5, [])


async def cosigners_of(begin: Begin[AllWork], keys: list[NoteKey]) -> list[str]:
    _, found = await cosigners(begin, *keys)
    return [key.name for key in found]


class Saying(Witness):
    """Answers always the same, or nothing."""

    def __init__(self, answer: str | None) -> None:
        self._answer = answer

    @property
    def key(self) -> NoteKey:
        return WITNESS_KEY.key

    async def add(self, body: str) -> str:
        if self._answer is None:
            raise WitnessUnavailable(f"away, and {len(body)} characters are lost")
        return self._answer
