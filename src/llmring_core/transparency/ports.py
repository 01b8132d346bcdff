"""What the transparency context needs from the outside."""

from collections.abc import Collection, Sequence
from typing import Protocol

from msgspec import Struct

from llmring_core.transparency.checkpoints import Checkpoint
from llmring_core.transparency.leaves import Leaf
from llmring_core.transparency.notes import NoteKey, SignatureLine
from llmring_core.transparency.tiles import Tile, TileName


class Published(Struct, frozen=True, kw_only=True):
    """A checkpoint that whoever asked has been given."""

    size: int  # entries
    note: str  # signed by the log, cosigned perhaps


class LogBook(Protocol):
    """The log as it stands, and what waits to be part of it. Nothing in it is ever changed."""

    async def add(self, leaves: Sequence[Leaf]) -> None:
        """Let ``leaves`` wait for their places.

        It belongs in the transaction of what they stand for: both are kept, or neither.
        """

    async def newest(self) -> Published | None:
        """Return the last checkpoint, None as long as there is no log."""

    async def tiles(self, names: Collection[TileName]) -> dict[TileName, Tile]:
        """Return those of the tiles that there are, each as wide as it is by now."""

    async def placed(self, leaf: str) -> tuple[Published | None, int | None]:
        """Return the last checkpoint, and the place of the leaf with this id.

        Each is None as long as there is none. The place may be one after the checkpoint's.
        """

    async def find(self, leaves: Collection[str]) -> dict[str, bytes]:
        """Return the commitments of those of the leaves that there are, placed or waiting."""

    async def commitments(self, first: int, count: int) -> list[bytes]:
        """Return the entries from place ``first`` on, at most ``count``."""


class LogSequence(Protocol):
    """The order of the log, which one transaction at a time may continue."""

    async def claim(self) -> bool:
        """Be the only one who continues the log until this transaction ends.

        False when somebody else is doing so right now.
        """

    async def waiting(self, limit: int) -> list[Leaf]:
        """Return leaves without a place, those first that came first."""

    async def place(self, leaves: Sequence[Leaf], first: int) -> None:
        """Give ``leaves`` the places from ``first`` on; they wait no longer."""

    async def put_tiles(self, tiles: Sequence[Tile]) -> None:
        """Keep ``tiles``, in place of narrower ones of the same name."""

    async def publish(self, checkpoint: Published) -> None:
        """Make ``checkpoint`` the newest one, in place of one of its size."""


class LogWork(Protocol):
    """The store of whoever adds to the log, or reads it."""

    @property
    def log(self) -> LogBook: ...


class SequencingWork(LogWork, Protocol):
    """The stores of whoever continues the log."""

    @property
    def sequence(self) -> LogSequence: ...


class LogSigner(Protocol):
    """Holds the log's own key: a file, an environment variable."""

    @property
    def key(self) -> NoteKey: ...

    def sign(self, text: str) -> SignatureLine:
        """Sign the text of a note."""


class WitnessSigner(Protocol):
    """Holds a witness's own key."""

    @property
    def key(self) -> NoteKey: ...

    def cosign(self, text: str, time_s: int) -> SignatureLine:
        """Sign, as of ``time_s`` (POSIX), the text of a checkpoint."""


class WitnessBook(Protocol):
    """Which checkpoint a witness cosigned last, by log. It never goes back."""

    async def last(self, origin: str) -> Checkpoint | None:
        """Return the one of the log ``origin``, None as long as there is none.

        Raises: StoreUnavailable.
        """

    async def advance(self, old: Checkpoint | None, new: Checkpoint) -> bool:
        """Put ``new`` in place of ``old``, unless another has been put there: then return False.

        What it returns True for outlives a power cut. Raises StoreUnavailable.
        """


class Witness(Protocol):
    """Somebody else, who watches this log."""

    @property
    def key(self) -> NoteKey: ...

    async def add(self, body: str) -> str:
        """Ask for a cosignature, and return what comes back: signature lines, unchecked.

        Raises: WitnessUnavailable, OtherTree with the size that the witness has.
        """
