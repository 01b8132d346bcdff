"""Everything that can go wrong in the transparency context."""

from typing import ClassVar

from llmring_core.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable


class BadProof(Invalid):
    """A proof does not show what it should."""

    code: ClassVar[str] = "transparency.bad-proof"


class BadNote(Invalid):
    """A signed note is malformed, or a signature on it is wrong."""

    code: ClassVar[str] = "transparency.bad-note"


class BadSubmission(Invalid):
    """What a witness is asked to cosign is malformed, or smaller than what it continues."""

    code: ClassVar[str] = "transparency.bad-submission"


class NotInLog(NotFound):
    """The log has no such entry, tile or size."""

    code: ClassVar[str] = "transparency.not-in-log"


class UnknownLog(NotFound):
    """The witness does not watch a log of this origin."""

    code: ClassVar[str] = "transparency.unknown-log"


class UnsignedCheckpoint(Forbidden):
    """The checkpoint carries no signature of the log it names."""

    code: ClassVar[str] = "transparency.unsigned-checkpoint"


class OtherTree(Conflict):
    """The checkpoint does not continue the last one this witness cosigned."""

    code: ClassVar[str] = "transparency.other-tree"

    def __init__(self, size: int) -> None:
        super().__init__(f"the last cosigned checkpoint has {size} entries")
        self.size = size


class WitnessUnavailable(Unavailable):
    """A witness did not answer in time, or not as witnesses do."""

    code: ClassVar[str] = "transparency.witness-unavailable"
