"""Rule: the proof that an entry is in the log, as a file of its own.

Source: C2SP tlog-proof. Its extra data is ours: the salt, without which the entry says nothing.
"""

import re
from base64 import b64decode, b64encode

from msgspec import Struct

from llmring_core.transparency.checkpoints import checkpoint_in
from llmring_core.transparency.errors import BadProof
from llmring_core.transparency.leaves import SALT_BYTES
from llmring_core.transparency.notes import MAX_NOTE, note_of
from llmring_core.transparency.tree import leaf_hash, root_including

HEADER = "c2sp.org/tlog-proof@v1"

_FILE = re.compile(
    re.escape(HEADER) + r"\n(?:extra ([A-Za-z0-9+/]{43}=)\n)?index (0|[1-9]\d{0,15})\n"
    r"((?:[A-Za-z0-9+/]{43}=\n){0,63})\n(.+)",
    re.DOTALL | re.ASCII,
)


class InclusionProof(Struct, frozen=True, kw_only=True):
    """Shows that an entry is in the tree of a checkpoint."""

    salt: bytes  # of the entry
    index: int
    path: tuple[bytes, ...]  # from the leaf's sibling up
    checkpoint: str  # a signed note

    @property
    def text(self) -> str:
        """Return the proof as a file, by convention one whose name ends with .tlog-proof."""
        lines = [HEADER, f"extra {_encoded(self.salt)}", f"index {self.index}"]
        lines += map(_encoded, self.path)
        return "\n".join([*lines, "", self.checkpoint])


def proof_in(text: str) -> InclusionProof:
    """Read a proof file. Raises BadProof."""
    match = _FILE.fullmatch(text) if len(text) <= 2 * MAX_NOTE else None
    if match is None:
        raise BadProof("this is no proof file")
    if match[1] is None:
        raise BadProof(f"a proof must bring the entry's salt, {SALT_BYTES} bytes, as extra data")
    encoded = [match[1], *match[3].splitlines()]
    salt, *path = map(b64decode, encoded)
    if [*map(_encoded, (salt, *path))] != encoded:
        raise BadProof("a proof must spell its base64 in the one usual way")
    return InclusionProof(salt=salt, index=int(match[2]), path=tuple(path), checkpoint=match[4])


def check_inclusion(proof: InclusionProof, commitment: bytes) -> None:
    """Check that the entry ``commitment`` is in the tree of the proof's checkpoint.

    Who signed that checkpoint is another question: see ``verified_checkpoint``.
    Raises: BadProof, BadNote.
    """
    checkpoint = checkpoint_in(note_of(proof.checkpoint).text)
    root = root_including(leaf_hash(commitment), proof.index, checkpoint.size, proof.path)
    if root != checkpoint.root:
        raise BadProof("the entry is not in the checkpoint's tree")


def _encoded(raw: bytes) -> str:
    return b64encode(raw).decode()
