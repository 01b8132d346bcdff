"""Schemathesis reads the OpenAPI document and sends what nobody thought of: no 500, no surprise."""

import subprocess
import sys

import pytest

from tests.integration.server import RunningServer, Tenant

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
EXAMPLES = 12  # for each operation
SEED = 20261121  # the same requests every time: what was green stays green


def test_answers_as_documented_whatever_is_sent(server: RunningServer, tenant: Tenant) -> None:
    words = ["run", f"{server.url}/openapi.json", "--checks", ",".join(CHECKS)]
    words += ["--header", f"X-API-Key: {tenant.key}", "--max-examples", str(EXAMPLES)]
    words += ["--phases", "coverage,fuzzing", "--seed", str(SEED), "--no-color"]
    words += ["--generation-database", "none", "--request-timeout", "30"]
    done = subprocess.run(  # noqa: S603  our own words
        [sys.executable, "-m", "schemathesis.cli", *words],
        cwd=server.folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    if done.returncode:
        pytest.fail(done.stdout[-8000:] + done.stderr[-2000:])
    assert "Test cases:" in done.stdout
