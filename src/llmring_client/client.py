"""One async method per endpoint."""

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from types import TracebackType
from typing import Self
from uuid import uuid4

import httpx
from msgspec import json

from llmring_client.model import Call, Logged, Stats
from llmring_client.transport import Transport

TIMEOUT_S = 30.0


class LLMRingClient:
    """Speaks to one server with one key::

        async with LLMRingClient("http://127.0.0.1:8000", "demo") as client:
            await client.log_usage("openai", "gpt-4o-mini", input_tokens=1000, output_tokens=200)

    Every method raises the families of ``llmring_core.errors``. Passing failures are tried again.
    """

    def __init__(
        self, base_url: str, api_key: str, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={"X-API-Key": api_key, "Content-Type": "application/json"},
            timeout=TIMEOUT_S,
            transport=transport,
        )
        self._transport = Transport(self._http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def log_usage(
        self,
        provider: str,
        model: str,
        *,
        input_tokens: int,
        output_tokens: int,
        cached_input_tokens: int = 0,
        cost: Decimal | None = None,
        alias: str | None = None,
        profile: str | None = None,
        origin: str | None = None,
        id_at_origin: str | None = None,
        latency_ms: int | None = None,
        metadata: Mapping[str, object] | None = None,
        client_log_id: str | None = None,
    ) -> Logged:
        """Log one call, once, however often it has to be sent; without ``cost`` it is priced."""
        body = {
            "provider": provider,
            "model": model,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "cached_input_tokens": cached_input_tokens,
            "cost": None if cost is None else f"{cost:f}",
            "alias": alias,
            "profile": profile,
            "origin": origin,
            "id_at_origin": id_at_origin,
            "latency_ms": latency_ms,
            "metadata": dict(metadata or {}),
            "client_log_id": client_log_id,
        }
        answer = await self._transport.ask(
            "POST",
            "/api/v1/log",
            body=json.encode(body),
            headers={"Idempotency-Key": str(uuid4())},
        )
        return json.decode(answer.content, type=Logged)

    async def list_usage(
        self,
        *,
        start_date: str = "",
        end_date: str = "",
        tz: str = "",
        alias: str = "",
        model: str = "",
        origin: str = "",
    ) -> AsyncIterator[Call]:
        """Yield the selected calls, newest first, page by page; empty means unrestricted."""
        query: dict[str, str | int] = {
            "start_date": start_date,
            "end_date": end_date,
            "tz": tz,
            "alias": alias,
            "model": model,
            "origin": origin,
            "limit": 500,
        }
        cursor: str | None = ""
        while cursor is not None:
            answer = await self._transport.ask(
                "GET", "/api/v1/logs", query=query | {"cursor": cursor}
            )
            for call in json.decode(answer.content, type=list[Call]):
                yield call
            cursor = answer.headers.get("X-Next-Cursor")

    async def stats(
        self,
        *,
        start_date: str = "",
        end_date: str = "",
        tz: str = "",
        group_by: str = "day",
        alias: str = "",
        model: str = "",
        origin: str = "",
    ) -> Stats:
        """Return the selected calls' totals; empty means unrestricted."""
        query = {
            "start_date": start_date,
            "end_date": end_date,
            "tz": tz,
            "group_by": group_by,
            "alias": alias,
            "model": model,
            "origin": origin,
        }
        answer = await self._transport.ask("GET", "/api/v1/stats", query=query)
        return json.decode(answer.content, type=Stats)
