"""What a witness is asked, when it cosigns, and how the log keeps what it answers.

Source: C2SP tlog-witness, and tlog-cosignature for what is signed.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct

from llmring_core.clock import Clock
from llmring_core.transactions import Begin
from llmring_core.transparency.checkpoints import Checkpoint, checkpoint_in
from llmring_core.transparency.errors import (
    BadNote,
    BadSubmission,
    OtherTree,
    UnknownLog,
    UnsignedCheckpoint,
)
from llmring_core.transparency.notes import (
    MAX_NOTE,
    SIGNED,
    Note,
    NoteKey,
    SignatureLine,
    note_of,
    signers_of,
)
from llmring_core.transparency.ports import (
    LogWork,
    Published,
    SequencingWork,
    Witness,
    WitnessBook,
    WitnessSigner,
)
from llmring_core.transparency.tree import EMPTY_ROOT, check_consistency
from llmring_core.transparency.use_cases import ProveConsistency

_BODY = re.compile(
    r"old (0|[1-9]\d{0,15})\n((?:[A-Za-z0-9+/]{43}=\n){0,63})\n(.+)", re.DOTALL | re.ASCII
)


class AddCheckpoint(Struct, frozen=True, kw_only=True):
    """Asks a witness to cosign a checkpoint that continues the last one it has cosigned."""

    old: int  # entries of that last one, 0 when there is none
    path: tuple[bytes, ...]  # the consistency proof from there, 32 bytes each
    checkpoint: str  # a signed note

    @property
    def text(self) -> str:
        """Return the request's body."""
        hashes = [b64encode(one).decode() for one in self.path]
        return "\n".join([f"old {self.old}", *hashes, "", self.checkpoint])


def add_checkpoint_in(body: bytes) -> AddCheckpoint:
    """Read a request's body; the checkpoint in it is not looked at. Raises BadSubmission."""
    try:
        match = _BODY.fullmatch(body.decode()) if len(body) <= MAX_NOTE else None
    except UnicodeDecodeError:
        match = None
    if match is None:
        raise BadSubmission(
            "the body must be `old` and a size, at most 63 hashes, a blank line and a checkpoint"
        )
    hashes = match[2].splitlines()
    path = tuple(map(b64decode, hashes))
    if [b64encode(one).decode() for one in path] != hashes:
        raise BadSubmission("the proof must spell its base64 in the one usual way")
    return AddCheckpoint(old=int(match[1]), path=path, checkpoint=match[3])


def cosignature_in(answer: str, note: Note, witness: NoteKey) -> SignatureLine:
    """Return the ``witness``'s line of those it answered when it was asked to cosign ``note``.

    Raises: BadNote when there is none, or it does not verify.
    """
    answered = note_of(f"{note.text}\n{answer}")
    if answered.text != note.text or not signers_of(answered, [witness]):
        raise BadNote(f"the answer has no cosignature of {witness.name}")
    return next(line for line in answered.signatures if _is_of(line, witness))


@dataclass(frozen=True, slots=True)
class CosignCheckpoint:
    """Be a witness: cosign what continues the last checkpoint cosigned, and nothing else."""

    logs: Sequence[NoteKey]  # known ones; a log may have several keys
    book: WitnessBook
    signer: WitnessSigner
    clock: Clock

    async def __call__(self, body: bytes) -> SignatureLine:
        """Return the cosignature, once the checkpoint is kept.

        Raises: BadSubmission, UnknownLog, UnsignedCheckpoint, OtherTree with the size that the
        proof must start from, BadProof.
        """
        asked = add_checkpoint_in(body)
        note, new = _checkpoint_of(asked)
        self._check_signed(note, new.origin)
        if asked.old > new.size:
            raise BadSubmission("the old size must not be larger than the checkpoint's")
        last = await self.book.last(new.origin)
        known = last or Checkpoint(origin=new.origin, size=0, root=EMPTY_ROOT)
        if asked.old != known.size or (new.size == known.size and new.root != known.root):
            raise OtherTree(known.size)
        check_consistency(known.size, known.root, new.size, new.root, asked.path)
        at = self.clock()  # before others can see it kept, and go on from it
        if not await self.book.advance(last, new):
            last = await self.book.last(new.origin)
            raise OtherTree(0 if last is None else last.size)
        return self.signer.cosign(note.text, int(at.timestamp()))

    def _check_signed(self, note: Note, origin: str) -> None:
        keys = [key for key in self.logs if key.name == origin and key.kind == SIGNED]
        if not keys:
            raise UnknownLog("this witness does not watch that log")
        try:
            signers = signers_of(note, keys)
        except BadNote as error:
            raise UnsignedCheckpoint(str(error)) from error
        if not signers:
            raise UnsignedCheckpoint("the checkpoint is not signed by the log it names")


@dataclass(frozen=True, slots=True)
class AskWitness:
    """Have a witness cosign the newest checkpoint, and publish that with it.

    When the log has gone on in the meantime, the cosignature is left: nobody will be given the
    checkpoint it is for.
    """

    begin: Begin[SequencingWork]
    read: Begin[LogWork]
    prove: ProveConsistency

    async def __call__(self, witness: Witness, known: int) -> int:
        """Return the size that the witness has now; ``known`` is what it had the last time.

        Raises: WitnessUnavailable, BadNote when it answers anything else, OtherTree when it has
        cosigned what this log has never been.
        """
        published = await self._newest()
        if published is None:
            return known
        if any(_is_of(line, witness.key) for line in note_of(published.note).signatures):
            return published.size
        try:
            answer = await self._asked(witness, min(known, published.size), published)
        except OtherTree as other:
            published = await self._newest() or published  # another server may have been faster
            if other.size > published.size:
                raise
            answer = await self._asked(witness, other.size, published)
        line = cosignature_in(answer, note_of(published.note), witness.key)
        await self._keep(line, published, witness.key)
        return published.size

    async def _newest(self) -> Published | None:
        async with self.read() as work:
            return await work.log.newest()

    async def _asked(self, witness: Witness, old: int, published: Published) -> str:
        path = await self.prove(old, published.size)
        asked = AddCheckpoint(old=old, path=path, checkpoint=published.note)
        return await witness.add(asked.text)

    async def _keep(self, line: SignatureLine, cosigned: Published, key: NoteKey) -> None:
        async with self.begin() as work:
            if not await work.sequence.claim():
                return
            newest = await work.log.newest()
            if newest is None or newest.size != cosigned.size:
                return
            note = note_of(newest.note)  # others may have cosigned it since
            lines = [one for one in note.signatures if not _is_of(one, key)]
            signed = Note(text=note.text, signatures=(*lines, line)).signed
            await work.sequence.publish(Published(size=newest.size, note=signed))


def _checkpoint_of(asked: AddCheckpoint) -> tuple[Note, Checkpoint]:
    try:
        note = note_of(asked.checkpoint)
        return note, checkpoint_in(note.text)
    except BadNote as error:
        raise BadSubmission(str(error)) from error


def _is_of(line: SignatureLine, key: NoteKey) -> bool:
    return (line.name, line.key_id) == (key.name, key.id)
