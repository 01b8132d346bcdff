"""Signed notes, cosignatures and checkpoints, and everything that is none."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from llmring_core.transparency.checkpoints import Checkpoint, checkpoint_in, verified_checkpoint
from llmring_core.transparency.errors import BadNote, UnsignedCheckpoint
from llmring_core.transparency.notes import (
    COSIGNED,
    SIGNED,
    Note,
    NoteKey,
    cosignature_of,
    note_key,
    note_of,
    signature_of,
    signers_of,
)

# The note that the documentation of Go's note package signs.
KNOWN_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
KNOWN_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZ"
    "b6KE6RyyBwJnAM=\n"
)

LOG_SEED, WITNESS_SEED = bytes(range(32)), bytes(range(1, 33))
LOG = NoteKey(
    name="example.com/log", kind=SIGNED, public_key=bytes(SigningKey(LOG_SEED).verify_key)
)
WITNESS = NoteKey(
    name="witness.example", kind=COSIGNED, public_key=bytes(SigningKey(WITNESS_SEED).verify_key)
)
CHECKPOINT = Checkpoint(origin=LOG.name, size=7, root=sha256(b"root").digest())
BY_LOG = signature_of(CHECKPOINT.text, LOG.name, LOG_SEED)
BY_WITNESS = cosignature_of(CHECKPOINT.text, WITNESS.name, WITNESS_SEED, 1_800_000_000)
SIGNED_BY_BOTH = Note(text=CHECKPOINT.text, signatures=(BY_LOG, BY_WITNESS)).signed


def test_a_note_made_elsewhere_verifies() -> None:
    key = note_key(KNOWN_KEY)
    assert signers_of(note_of(KNOWN_NOTE), [key]) == [key]
    assert key.text == KNOWN_KEY
    assert note_of(KNOWN_NOTE).signed == KNOWN_NOTE


def test_a_checkpoint_says_who_signed_and_cosigned_it() -> None:
    found = verified_checkpoint(SIGNED_BY_BOTH, LOG, [WITNESS])
    assert found == (CHECKPOINT, [WITNESS])


def test_a_checkpoint_of_another_log_is_refused() -> None:
    other = NoteKey(name="example.com/other", kind=SIGNED, public_key=LOG.public_key)
    with pytest.raises(UnsignedCheckpoint):
        verified_checkpoint(SIGNED_BY_BOTH, other)


def test_a_cosignature_is_no_signature_of_the_log() -> None:
    only = Note(text=CHECKPOINT.text, signatures=(BY_WITNESS,)).signed
    with pytest.raises(UnsignedCheckpoint):
        verified_checkpoint(only, LOG, [WITNESS])


def test_signatures_of_strangers_are_ignored() -> None:
    stranger = signature_of(CHECKPOINT.text, "stranger.example", WITNESS_SEED)
    both = Note(text=CHECKPOINT.text, signatures=(stranger, BY_LOG)).signed
    assert verified_checkpoint(both, LOG) == (CHECKPOINT, [])


@given(st.data())
def test_no_byte_of_a_signed_checkpoint_can_be_changed(data: st.DataObject) -> None:
    signed = SIGNED_BY_BOTH.encode()
    at = data.draw(st.integers(0, len(signed) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != signed[at]))
    changed = signed[:at] + bytes([byte]) + signed[at + 1 :]
    with pytest.raises((BadNote, UnsignedCheckpoint, UnicodeDecodeError)):
        found = verified_checkpoint(changed.decode(), LOG, [WITNESS])
        if found == (CHECKPOINT, []):  # its line is a stranger's now, and was ignored
            raise UnsignedCheckpoint("not cosigned")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text\n",
        "text\n\n",
        "text\n\n— name\n",
        "text\n\n— name !!!!\n",
        "text\n\n— name AAAA\n",
        "text\n\nname AAAAAAAAAAA=\n",
        "text\r\n\n— name AAAAAAAAAAA=\n",
        "text\n\n— name AAAAAAAAAAB=\n",
        "text\n\n— name AAAAAAAAAAA=",
        "text\n\n" + "— name AAAAAAAAAAA=\n" * 65,
        "text" * 20_000 + "\n\n— name AAAAAAAAAAA=\n",
    ],
)
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        note_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "example.com/log\n7\n",
        "example.com/log\n07\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "example.com/log\n-7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "example.com/log\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n",
        "example.com/log\n7\nAAAA\n",
        "\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "example.com/log\n\u0667\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        checkpoint_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+c74f20a3",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+AhpcAAcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc",
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        note_key(text)
