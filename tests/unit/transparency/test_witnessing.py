"""What a witness cosigns, and everything it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmring_adapters.transparency.local_key import LocalLogKey
from llmring_adapters.transparency.witness_book import MemoryWitnessBook
from llmring_core.transparency import (
    AddCheckpoint,
    BadNote,
    BadProof,
    BadSubmission,
    Checkpoint,
    CosignCheckpoint,
    Note,
    OtherTree,
    UnknownLog,
    UnsignedCheckpoint,
    add_checkpoint_in,
    cosignature_in,
    note_of,
    signers_of,
)
from tests.builders.transparency import SIGNER
from tests.builders.witnesses import FORK, NOON, TREE, WITNESS_KEY, asking, signed, witness

HASH = "A" * 43 + "="
OTHER_KEY = LocalLogKey(SIGNER.key.name, bytes(32))
hashes = st.lists(st.binary(min_size=32, max_size=32), max_size=63).map(tuple)


@given(
    old=st.integers(0, 10**16 - 1),
    path=hashes,
    checkpoint=st.text(st.characters(codec="utf-8"), min_size=1),
)
def test_a_body_is_read_as_it_was_written(
    old: int, path: tuple[bytes, ...], checkpoint: str
) -> None:
    asked = AddCheckpoint(old=old, path=path, checkpoint=checkpoint)
    assert add_checkpoint_in(asked.text.encode()) == asked


@pytest.mark.parametrize(
    "head",
    [
        "",
        "old\n\n",
        "old \n\n",
        "old 01\n\n",
        "old -1\n\n",
        "old +1\n\n",
        "old \u0661\n\n",
        "old 12345678901234567\n\n",
        "new 1\n\n",
        " old 1\n\n",
        "old 1\r\n\r\n",
        "old 1\n",
        f"old 1\n{HASH}\n",
        f"old 1\n{HASH[:-1]}\n\n",
        f"old 1\n{HASH[:-2]}B=\n\n",
        f"old 1\n{HASH} \n\n",
        f"old 1\n{HASH}\n" * 2 + "\n",
        "old 1\n" + f"{HASH}\n" * 64 + "\n",
    ],
)
async def test_a_malformed_body_is_refused(head: str) -> None:
    with pytest.raises(BadSubmission):
        await witness()(f"{head}{signed(TREE.checkpoint(5))}".encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n\n",
        b"old 0\n\n\xff\n",
        b"old 0\n\nno note",
        b"old 0\n\nexample.com/log\n5\n",
        b"old 0\n\nexample.com/log\nfive\nroot\n\n" + WITNESS_KEY.cosign("x\n", 1).text.encode(),
        asking(0, 5)[:-1],
        asking(0, 5) + b"\n",
        b"old 0\n\n" + b"x" * 2**16,
    ],
)
async def test_a_malformed_checkpoint_is_refused(body: bytes) -> None:
    with pytest.raises(BadSubmission):
        await witness()(body)


@given(st.binary(max_size=300))
async def test_whatever_is_sent_is_cosigned_or_refused(body: bytes) -> None:
    with pytest.raises(BadSubmission):
        await witness()(body)


async def test_a_log_is_cosigned_from_the_first_checkpoint_on() -> None:
    cosign = witness()
    for old, new in ((0, 0), (0, 5), (5, 5), (5, 6), (6, 40)):
        line = await cosign(asking(old, new))
        note = Note(text=TREE.checkpoint(new).text, signatures=(line,))
        assert signers_of(note, [WITNESS_KEY.key]) == [WITNESS_KEY.key]
        assert int.from_bytes(line.signature[:8], "big") == NOON.timestamp()
        assert len(line.signature) == 72


async def test_lines_below_the_root_are_cosigned_too() -> None:
    text = TREE.checkpoint(5).text + "an extension\n"
    note = Note(text=text, signatures=(SIGNER.sign(text),))
    line = await witness()(f"old 0\n\n{note.signed}".encode())
    assert signers_of(Note(text=text, signatures=(line,)), [WITNESS_KEY.key])


async def test_a_log_it_does_not_know_is_refused() -> None:
    stranger = LocalLogKey("example.com/other", bytes(32))
    note = signed(TREE.checkpoint(5, origin="example.com/other"), stranger)
    with pytest.raises(UnknownLog):
        await witness()(f"old 0\n\n{note}".encode())


def wrongly_signed() -> str:
    line = SIGNER.sign(TREE.checkpoint(6).text)
    return Note(text=TREE.checkpoint(5).text, signatures=(line,)).signed


@pytest.mark.parametrize("note", [signed(TREE.checkpoint(5), OTHER_KEY), wrongly_signed()])
async def test_what_the_log_did_not_sign_is_refused(note: str) -> None:
    with pytest.raises(UnsignedCheckpoint):
        await witness()(f"old 0\n\n{note}".encode())


async def test_a_witness_does_not_pass_for_the_log_it_is_named_after() -> None:
    key = WITNESS_KEY.key
    posing = CosignCheckpoint([key], MemoryWitnessBook(), WITNESS_KEY, lambda: NOON)
    checkpoint = Checkpoint(origin=key.name, size=5, root=TREE.checkpoint(5).root)
    line = WITNESS_KEY.cosign(checkpoint.text, 1)
    note = Note(text=checkpoint.text, signatures=(line,)).signed
    with pytest.raises(UnknownLog):
        await posing(f"old 0\n\n{note}".encode())


async def test_an_old_size_above_the_new_one_is_malformed() -> None:
    with pytest.raises(BadSubmission, match="old size"):
        await witness()(asking(6, 5, path=()))


@pytest.mark.parametrize(("old", "new"), [(0, 5), (4, 6), (6, 6), (0, 40)])
async def test_another_old_size_is_told_the_one_there_is(old: int, new: int) -> None:
    cosign = witness()
    await cosign(asking(0, 5))
    with pytest.raises(OtherTree) as refused:
        await cosign(asking(old, new))
    assert refused.value.size == 5


async def test_another_tree_of_the_same_size_is_refused() -> None:
    cosign = witness()
    await cosign(asking(0, 5))
    with pytest.raises(OtherTree) as refused:
        await cosign(asking(5, 5, FORK))
    assert refused.value.size == 5


async def test_an_empty_log_has_one_root() -> None:
    checkpoint = Checkpoint(origin=SIGNER.key.name, size=0, root=bytes(32))
    with pytest.raises(OtherTree):
        await witness()(f"old 0\n\n{signed(checkpoint)}".encode())


@pytest.mark.parametrize(
    "body",
    [
        asking(5, 7, FORK),
        asking(5, 7, path=()),
        asking(5, 7, path=(*TREE.path(5, 7), bytes(32))),
        asking(5, 5, path=(bytes(32),)),
    ],
)
async def test_what_does_not_continue_the_last_checkpoint_is_refused(body: bytes) -> None:
    cosign = witness()
    await cosign(asking(0, 5))
    with pytest.raises(BadProof):
        await cosign(body)
    assert await cosign.book.last(SIGNER.key.name) == TREE.checkpoint(5)


async def test_the_first_checkpoint_needs_no_proof() -> None:
    with pytest.raises(BadProof):
        await witness()(asking(0, 5, path=(bytes(32),)))


class Overtaken(MemoryWitnessBook):
    """Somebody else's checkpoint comes between the look and the step."""

    async def advance(self, old: Checkpoint | None, new: Checkpoint) -> bool:
        await super().advance(old, TREE.checkpoint(40))
        return await super().advance(old, new)


async def test_whoever_is_overtaken_is_told_so_and_gets_no_cosignature() -> None:
    cosign = witness(Overtaken())
    with pytest.raises(OtherTree) as refused:
        await cosign(asking(0, 5))
    assert refused.value.size == 40
    assert await cosign.book.last(SIGNER.key.name) == TREE.checkpoint(40)


NOTE = note_of(signed(TREE.checkpoint(5)))
GOOD = WITNESS_KEY.cosign(NOTE.text, 1)
MORE = WITNESS_KEY.cosign(f"{NOTE.text}\nmore\n", 1)  # over a longer text


def test_the_witnesss_line_is_found_among_others() -> None:
    other = OTHER_KEY.sign(NOTE.text).text
    assert cosignature_in(other + GOOD.text, NOTE, WITNESS_KEY.key) == GOOD


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "\n",
        "garbage\n",
        "garbage\n\n" + GOOD.text,
        "\n" + GOOD.text,
        f"more\n\n{MORE.text}",
        GOOD.text[:-1],
        GOOD.text * 65,
        OTHER_KEY.sign(NOTE.text).text,
        WITNESS_KEY.cosign(TREE.checkpoint(6).text, 1).text,
        GOOD.text.replace("witness.example", "elsewhere.example"),
    ],
)
def test_an_answer_without_a_cosignature_that_verifies_is_refused(answer: str) -> None:
    with pytest.raises(BadNote):
        cosignature_in(answer, NOTE, WITNESS_KEY.key)
