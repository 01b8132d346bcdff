"""The transparency log as C2SP tlog-tiles has it, and proofs of its history. Public."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final, Self

from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from llmring_core.errors import StoreUnavailable
from llmring_core.transparency import (
    NotInLog,
    ProveConsistency,
    Published,
    ReadCheckpoint,
    ReadEntries,
    ReadLogKey,
    ReadTile,
)
from llmring_http.conditional import FOREVER
from llmring_http.decoding import public_query_parameters
from llmring_http.problems import Unprocessable, documented

TEXT: Final = "text/plain"  # the framework adds the charset
BYTES: Final = "application/octet-stream"
SOON: Final = "public, max-age=1"
READ: Final = documented(NotInLog, StoreUnavailable)


class ConsistencyQuery(Struct, frozen=True, kw_only=True, rename={"old": "from", "new": "to"}):
    old: int
    new: int


class ConsistencyBody(Struct, frozen=True, kw_only=True, rename={"old": "from", "new": "to"}):
    """Shows that the log of the first size is the beginning of the log of the second."""

    old: int
    new: int
    proof: list[str]  # SHA-256 hashes, base64

    @classmethod
    def of(cls, asked: ConsistencyQuery, path: Sequence[bytes]) -> Self:
        proof = [b64encode(one).decode() for one in path]
        return cls(old=asked.old, new=asked.new, proof=proof)


class LogController(Controller):
    path = "/log"
    tags = ["transparency"]

    @get("/checkpoint", responses=READ)
    async def checkpoint(self, read_checkpoint: NamedDependency[ReadCheckpoint]) -> Response[bytes]:
        """Return what the log last said of its size and root, signed."""
        return checkpoint_of(await read_checkpoint())

    @get("/public-key", responses=documented(StoreUnavailable))
    async def public_key(self, read_log_key: NamedDependency[ReadLogKey]) -> Response[bytes]:
        """Return the key that signs checkpoints, as verifiers of signed notes read it."""
        return Response(f"{(await read_log_key()).text}\n".encode(), media_type=TEXT)

    @get("/tile/entries/{path:path}", responses=READ)
    async def entries(
        self, request: Request[Any, Any, Any], read_entries: NamedDependency[ReadEntries]
    ) -> Response[bytes]:
        """Return up to 256 entries, each after its length in two bytes."""
        return immutable(await read_entries(_path(request)))

    @get("/tile/{level:int}/{path:path}", responses=READ)
    async def tile(
        self,
        request: Request[Any, Any, Any],
        level: FromPath[int],
        read_tile: NamedDependency[ReadTile],
    ) -> Response[bytes]:
        """Return up to 256 hashes of one level of the tree, 32 bytes each."""
        return immutable(await read_tile(level, _path(request)))

    @get(
        "/consistency",
        responses=documented(NotInLog, Unprocessable, StoreUnavailable),
        **public_query_parameters(ConsistencyQuery),
    )
    async def consistency(
        self,
        params: NamedDependency[ConsistencyQuery],
        prove_consistency: NamedDependency[ProveConsistency],
    ) -> ConsistencyBody:
        """Prove that the log of size `from` is the beginning of that of size `to`."""
        return ConsistencyBody.of(params, await prove_consistency(params.old, params.new))


def checkpoint_of(published: Published) -> Response[bytes]:
    headers = {"Cache-Control": SOON}
    return Response(published.note.encode(), media_type=TEXT, headers=headers)


def immutable(content: bytes) -> Response[bytes]:
    return Response(content, media_type=BYTES, headers={"Cache-Control": FOREVER})


def _path(request: Request[Any, Any, Any]) -> str:
    return str(request.path_params["path"]).removeprefix("/")
