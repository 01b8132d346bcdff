"""Proof files: what they show, and that no byte of them can be changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmring_core.transparency.checkpoints import Checkpoint, verified_checkpoint
from llmring_core.transparency.errors import BadNote, BadProof, UnsignedCheckpoint
from llmring_core.transparency.leaves import RECEIPT, STATEMENT, commitment_to
from llmring_core.transparency.notes import Note, signature_of
from llmring_core.transparency.proofs import InclusionProof, check_inclusion, proof_in
from llmring_core.transparency.tiles import grown, hash_of
from llmring_core.transparency.tree import Range, inclusion_path, leaf_hash
from tests.unit.transparency.test_notes import LOG, LOG_SEED

SALTS = [bytes([number]) * 32 for number in range(7)]
ENTRIES = [commitment_to(RECEIPT, salt, b"content") for salt in SALTS]
TILES = {tile.name: tile for tile in grown([], 0, list(map(leaf_hash, ENTRIES)))}
CHECKPOINT = Checkpoint(origin=LOG.name, size=7, root=hash_of(Range(0, 7), TILES))
SIGNED = Note(
    text=CHECKPOINT.text, signatures=(signature_of(CHECKPOINT.text, LOG.name, LOG_SEED),)
).signed
PROOF = InclusionProof(
    salt=SALTS[4],
    index=4,
    path=tuple(hash_of(one, TILES) for one in inclusion_path(4, 7)),
    checkpoint=SIGNED,
)


def test_a_proof_survives_its_file() -> None:
    assert proof_in(PROOF.text) == PROOF


def test_a_proof_shows_its_entry() -> None:
    check_inclusion(PROOF, ENTRIES[4])


@pytest.mark.parametrize("other", [3, 5])
def test_a_proof_shows_no_other_entry(other: int) -> None:
    with pytest.raises(BadProof):
        check_inclusion(PROOF, ENTRIES[other])


def test_a_commitment_is_to_a_kind_a_salt_and_a_content() -> None:
    commitments = {
        commitment_to(RECEIPT, SALTS[0], b"content"),
        commitment_to(STATEMENT, SALTS[0], b"content"),
        commitment_to(RECEIPT, SALTS[1], b"content"),
        commitment_to(RECEIPT, SALTS[0], b"Content"),
    }
    assert len(commitments) == 4


@given(st.data())
def test_no_byte_of_a_proof_can_be_changed(data: st.DataObject) -> None:
    file = PROOF.text.encode()
    at = data.draw(st.integers(0, len(file) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != file[at]))
    changed = file[:at] + bytes([byte]) + file[at + 1 :]
    with pytest.raises((BadProof, BadNote, UnsignedCheckpoint, UnicodeDecodeError)):
        proof = proof_in(changed.decode())
        verified_checkpoint(proof.checkpoint, LOG)
        check_inclusion(proof, commitment_to(RECEIPT, proof.salt, b"content"))


@pytest.mark.parametrize(
    "change",
    [
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2"),
        ("index 4", "index 04"),
        ("index 4", "index -4"),
        ("index 4", "index 4 "),
        ("extra ", "extra AAAA"),
        ("\nindex 4", "\n\nindex 4"),
    ],
)
def test_what_is_no_proof_file_is_refused(change: tuple[str, str]) -> None:
    with pytest.raises(BadProof):
        proof_in(PROOF.text.replace(*change))
