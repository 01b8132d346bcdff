"""Rule: a log's statement of its size and root. Source: C2SP tlog-checkpoint."""

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence

from msgspec import Struct

from llmring_core.transparency.errors import BadNote, UnsignedCheckpoint
from llmring_core.transparency.notes import SIGNED, NoteKey, note_of, signers_of
from llmring_core.transparency.tree import HASH_BYTES

_BODY = re.compile(r"([^\n]+)\n(0|[1-9]\d{0,15})\n([A-Za-z0-9+/]{43}=)\n((?:[^\n]+\n)*)", re.ASCII)


class Checkpoint(Struct, frozen=True, kw_only=True):
    """A tree: whose, how large, and its root."""

    origin: str
    size: int
    root: bytes  # 32 bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def checkpoint_in(text: str) -> Checkpoint:
    """Read a note's text as a checkpoint. Raises BadNote."""
    match = _BODY.fullmatch(text)
    if match is None:
        raise BadNote("a checkpoint must be an origin, a size and a root")
    root = b64decode(match[3])
    if len(root) != HASH_BYTES or b64encode(root).decode() != match[3]:
        raise BadNote("a checkpoint's root must be 32 bytes of base64")
    return Checkpoint(origin=match[1], size=int(match[2]), root=root)


def verified_checkpoint(
    signed: str, log: NoteKey, witnesses: Sequence[NoteKey] = ()
) -> tuple[Checkpoint, list[NoteKey]]:
    """Return a published checkpoint of ``log``, and which of the ``witnesses`` cosigned it.

    Raises: BadNote, and UnsignedCheckpoint when the log itself did not sign it.
    """
    note = note_of(signed)
    checkpoint = checkpoint_in(note.text)
    signers = signers_of(note, [log, *witnesses])
    if log not in signers or log.kind != SIGNED or checkpoint.origin != log.name:
        raise UnsignedCheckpoint(f"the checkpoint is not signed by {log.name}")
    return checkpoint, [key for key in signers if key != log]
