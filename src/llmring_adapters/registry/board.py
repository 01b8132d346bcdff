"""Where servers tell each other that one of them has asked the registry: memory, or Redis.

No prices are kept here. What is told is the digest of a snapshot, and whoever reads it looks that
up in the database; so nothing that Redis may say, lose or make up changes what a call costs.
"""

from asyncio import sleep
from hashlib import sha256

from msgspec import DecodeError, json

from llmring_adapters.redis import BoundedRedis, RedisAway
from llmring_core.registry import CheckBoard, Confirmation

TURN_S = 35  # longer than a check takes
WAIT_S = 5.0  # for another server's check; then we ask ourselves, too
POLL_S = 0.1
MAX_BYTES = 512


class MemoryCheckBoard(CheckBoard):
    """For the servers of one process; a single one is told what it found itself."""

    def __init__(self) -> None:
        self._confirmation: Confirmation | None = None

    async def read(self) -> Confirmation | None:
        return self._confirmation

    async def write(self, confirmation: Confirmation | None) -> None:
        self._confirmation = confirmation

    async def aclose(self) -> None:
        """Nothing is open."""


class RedisCheckBoard(CheckBoard):
    """For all servers that ask the same registry and share a Redis."""

    def __init__(
        self, redis: BoundedRedis, base_url: str, valid_s: float, wait_s: float = WAIT_S
    ) -> None:
        registry = sha256(base_url.rstrip("/").encode()).hexdigest()[:16]
        self._redis = redis
        self._told = f"llmring:registry:{registry}:checked"
        self._turn = f"llmring:registry:{registry}:turn"
        self._wait_s = wait_s
        self._valid_ms = max(1, int(valid_s * 1000))

    async def read(self) -> Confirmation | None:
        try:
            for _ in range(int(self._wait_s / POLL_S)):
                told = await self._redis.ask(lambda r: r.getrange(self._told, 0, MAX_BYTES))
                confirmation = _confirmation(told)
                if confirmation is not None or await self._is_our_turn():
                    return confirmation
                await sleep(POLL_S)
        except RedisAway:
            pass  # then everybody asks for himself
        return None

    async def write(self, confirmation: Confirmation | None) -> None:
        try:
            if confirmation is not None:
                body = json.encode(confirmation)
                await self._redis.ask(lambda r: r.set(self._told, body, px=self._valid_ms))
            await self._redis.ask(lambda r: r.delete(self._turn))
        except RedisAway:
            pass  # counted where it happened; the others ask for themselves

    async def aclose(self) -> None:
        await self._redis.close()

    async def _is_our_turn(self) -> bool:
        if await self._redis.ask(lambda r: r.set(self._turn, b"", nx=True, px=TURN_S * 1000)):
            return True
        left_ms = await self._redis.ask(lambda r: r.pttl(self._turn))
        return not 0 <= left_ms <= TURN_S * 1000  # gone meanwhile, or not made by one of us


def _confirmation(told: bytes | str) -> Confirmation | None:
    try:
        return json.decode(told, type=Confirmation)
    except DecodeError:  # nothing, or nothing of ours
        return None
