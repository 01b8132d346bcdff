"""What the HTTP adapter is told by whoever assembles the program."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from litestar import Litestar

from llmring_core.clock import Clock
from llmring_core.ids import NewId

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    clock: Clock
    new_id: NewId  # names requests
    database_answers: Callable[[], Awaitable[bool]]
    cors_origins: tuple[str, ...] = ()
    trust_identity_headers: bool = False  # only behind a proxy that authenticates and sets them
    max_body_bytes: int = 1024 * 1024
