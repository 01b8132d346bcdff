"""What a witness serves: its cosignature, and the key that verifies it. Public."""

from typing import Any, Final

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_200_OK, HTTP_409_CONFLICT

from llmring_core.transparency import CosignCheckpoint, NoteKey, OtherTree

TEXT: Final = "text/plain"  # the framework adds the charset
SIZE_TYPE: Final = "text/x.tlog.size"


class WitnessController(Controller):
    @post("/add-checkpoint", status_code=HTTP_200_OK)
    async def add_checkpoint(
        self, request: Request[Any, Any, Any], cosign_checkpoint: NamedDependency[CosignCheckpoint]
    ) -> Response[bytes]:
        """Cosign a checkpoint that continues the last one."""
        line = await cosign_checkpoint(await request.body())
        return Response(line.text.encode(), media_type=TEXT)

    @get("/public-key")
    async def public_key(self, witness_key: NamedDependency[NoteKey]) -> Response[bytes]:
        """Return the key that signs cosignatures, as verifiers of signed notes read it."""
        return Response(f"{witness_key.text}\n".encode(), media_type=TEXT)


def size_there_is(_: Request[Any, Any, Any], error: OtherTree) -> Response[bytes]:
    """Answer what to prove from, as C2SP tlog-witness has it."""
    headers = {"Content-Type": SIZE_TYPE}
    return Response(f"{error.size}\n".encode(), status_code=HTTP_409_CONFLICT, headers=headers)
