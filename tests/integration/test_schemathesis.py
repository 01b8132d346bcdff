"""Schemathesis reads the OpenAPI document and sends what nobody thought of: no 500, no surprise."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.manager import TOKEN
from tests.integration.server import RunningServer, Tenant, running

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
    _send_whatever(server, f"X-API-Key: {tenant.key}", "coverage,fuzzing")


def test_so_does_the_management_api(tmp_path: Path) -> None:
    with running(tmp_path, management_token=TOKEN) as server:
        header = f"Authorization: Bearer {TOKEN}"
        _send_whatever(server, header, "coverage", "--include-path-regex", "^/manage/")


def _send_whatever(server: RunningServer, header: str, phases: str, *more: str) -> None:
    words = ["run", f"{server.url}/openapi.json", "--checks", ",".join(CHECKS), *more]
    words += ["--header", header, "--max-examples", str(EXAMPLES)]
    words += ["--phases", phases, "--seed", str(SEED), "--no-color"]
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
