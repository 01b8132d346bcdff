"""The last published ``llmring`` client that knows receipts, against our server."""

import subprocess
from pathlib import Path

import pytest
from msgspec import json

from tests.integration.published import installed
from tests.integration.server import Tenant

USE_RECEIPTS = """
import asyncio, json, os
from llmring.receipts import Receipt
from llmring.server_client import ServerClient

async def main():
    url, key = os.environ["LLMRING_SERVER_URL"], os.environ["LLMRING_API_KEY"]
    stated = {
        "alias": "fast", "profile": "default", "lock_digest": "", "provider": "openai",
        "model": "gpt-4.1", "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
        "input_cost": 0.0002, "output_cost": 0.00016, "total_cost": 0.00036,
    }
    async with ServerClient(base_url=url, api_key=key) as client:
        async def valid(receipt):
            return (await client.post("/api/v1/receipts/verify", json=receipt))["valid"]

        preview = await client.preview_receipt(since_last_receipt=True)
        uncertified = await client.get_uncertified_logs()
        made = await client.generate_receipt(
            since_last_receipt=True, description="week", tags=["a"]
        )
        receipt = Receipt(**made["receipt"])
        logs = await client.get_receipt_logs(receipt.receipt_id)
        issued = await client.post("/api/v1/receipts/issue", json=stated)
        kept = await client.post("/api/v1/receipts/", json={"receipt": issued})
        listed = await client.list_receipts(limit=10)
        print(json.dumps({
            "preview": preview["total_cost"], "uncertified": uncertified["total"],
            "certified": made["certified_count"], "cost": receipt.total_cost,
            "type": receipt.receipt_type, "logs": logs["total"], "kept": kept["status"],
            "same": await client.get_receipt(receipt.receipt_id) == made["receipt"],
            "listed": [Receipt(**one).receipt_id for one in listed["receipts"]]
                == [issued["receipt_id"], receipt.receipt_id],
            "valid": [await valid(made["receipt"]), await valid(issued)],
            "changed": await valid(made["receipt"] | {"total_cost": 0.0}),
        }))

asyncio.run(main())
"""


@pytest.fixture(scope="session")
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed("llmring==1.3.0", request.config, tmp_path_factory) / "python"


def test_it_generates_lists_keeps_and_verifies(
    python: Path, anyone: Tenant, tmp_path: Path
) -> None:
    anyone.log(input_tokens=100, output_tokens=20)
    anyone.log(input_tokens=100, output_tokens=20, model="gpt-4o-mini")
    done = subprocess.run(  # noqa: S603  our own words
        [python, "-c", USE_RECEIPTS],
        cwd=tmp_path,
        env={
            "HOME": str(tmp_path),
            "LLMRING_SERVER_URL": anyone.server.url,
            "LLMRING_API_KEY": anyone.key,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.decode(done.stdout) == {
        **{"preview": 0.000387, "cost": 0.000387, "type": "batch", "kept": "verified"},
        **{"uncertified": 2, "certified": 2, "logs": 2, "same": True, "listed": True},
        **{"valid": [True, True], "changed": False},
    }
