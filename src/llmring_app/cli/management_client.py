"""Asking a server's management API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx
from msgspec import DecodeError, json

from llmring_app.errors import CannotStart

TIMEOUT_S: Final = 30.0
MAX_ANSWER: Final = 64 * 1024**2  # bytes


@dataclass(frozen=True, slots=True)
class ManagementClient:
    """One server, and the token that opens its management API."""

    base_url: str
    token: str

    def call(
        self,
        method: str,
        *path: str,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, str | None] | None = None,
    ) -> Any:
        """Return what the server answers; None when that is nothing. Raises CannotStart."""
        address = "/".join([self.base_url.rstrip("/"), "manage", *(quote(p, "") for p in path)])
        given = {name: value for name, value in (query or {}).items() if value is not None}
        content = None if body is None else json.encode(body)
        try:
            _check(self.base_url, self.token)
            with (
                httpx.Client(trust_env=False, timeout=TIMEOUT_S) as client,
                client.stream(
                    method, address, params=given, content=content, headers=self._headers
                ) as answer,
            ):
                status, received = answer.status_code, _limited(answer)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            said = str(error) or type(error).__name__
            raise CannotStart(f"{self.base_url} does not answer: {said}") from error
        return _meant(status, received)

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}


def _check(base_url: str, token: str) -> None:
    """Raises ValueError when these cannot be sent."""
    if urlsplit(base_url).scheme not in ("http", "https"):
        raise ValueError("it is no http:// or https:// address")
    if not token.isascii() or not token.isprintable():
        raise ValueError("the management token must be visible ASCII characters")


def _limited(answer: httpx.Response) -> bytes:
    """Raises ValueError when the answer is larger than any of ours."""
    received = bytearray()
    for piece in answer.iter_bytes():
        received += piece
        if len(received) > MAX_ANSWER:
            raise ValueError("it sends more than any such server would")
    return bytes(received)


def _meant(status: int, received: bytes) -> Any:
    try:
        found = json.decode(received) if received else None
    except (DecodeError, UnicodeDecodeError) as error:
        raise CannotStart(f"HTTP {status}: the answer is not a management API's") from error
    if status < 300:
        return found
    said = found.get("error") if isinstance(found, dict) else None
    raise CannotStart(f"HTTP {status}: {said or 'the server says no more'}")
