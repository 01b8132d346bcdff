"""Transparency: an append-only log whose every entry and whole history can be proved."""

from llmring_core.transparency.checkpoints import Checkpoint, checkpoint_in, verified_checkpoint
from llmring_core.transparency.errors import (
    BadNote,
    BadProof,
    NotInLog,
    OtherTree,
    UnknownLog,
    UnsignedCheckpoint,
)
from llmring_core.transparency.leaves import (
    RECEIPT,
    SALT_BYTES,
    STATEMENT,
    Leaf,
    commitment_to,
)
from llmring_core.transparency.notes import (
    COSIGNED,
    SIGNED,
    Note,
    NoteKey,
    SignatureLine,
    cosignature_of,
    note_key,
    note_of,
    signature_of,
    signers_of,
)
from llmring_core.transparency.ports import (
    LogBook,
    LogSequence,
    LogSigner,
    LogWork,
    Published,
    SequencingWork,
)
from llmring_core.transparency.proofs import InclusionProof, check_inclusion, proof_in
from llmring_core.transparency.tiles import WIDTH, Tile, TileName
from llmring_core.transparency.tree import EMPTY_ROOT, check_consistency, leaf_hash
from llmring_core.transparency.use_cases import (
    ContinueLog,
    ProveConsistency,
    ProveInclusion,
    ReadCheckpoint,
    ReadEntries,
    ReadLogKey,
    ReadTile,
)

__all__ = [
    "COSIGNED",
    "EMPTY_ROOT",
    "RECEIPT",
    "SALT_BYTES",
    "SIGNED",
    "STATEMENT",
    "WIDTH",
    "BadNote",
    "BadProof",
    "Checkpoint",
    "ContinueLog",
    "InclusionProof",
    "Leaf",
    "LogBook",
    "LogSequence",
    "LogSigner",
    "LogWork",
    "NotInLog",
    "Note",
    "NoteKey",
    "OtherTree",
    "ProveConsistency",
    "ProveInclusion",
    "Published",
    "ReadCheckpoint",
    "ReadEntries",
    "ReadLogKey",
    "ReadTile",
    "SequencingWork",
    "SignatureLine",
    "Tile",
    "TileName",
    "UnknownLog",
    "UnsignedCheckpoint",
    "check_consistency",
    "check_inclusion",
    "checkpoint_in",
    "commitment_to",
    "cosignature_of",
    "leaf_hash",
    "note_key",
    "note_of",
    "proof_in",
    "signature_of",
    "signers_of",
    "verified_checkpoint",
]
