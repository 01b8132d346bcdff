"""Whoever manages a server's gateway."""

import secrets
from typing import Any

import httpx

from tests.integration.server import RunningServer

TOKEN = "llmr_mg_" + "Zq7canary" * 3  # no secret: every server here has it
KEY = "sk-proj-Zq7providerkey0001"
SHOWN = "sk-proj-...0001"
NOBODY = "01990000-0000-7000-8000-000000000001"


class Manager:
    """Whoever has the management token of a server."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.headers = {"Authorization": f"Bearer {TOKEN}"}

    def __call__(self, method: str, path: str, body: object = None) -> httpx.Response:
        sent = {"content": body} if isinstance(body, bytes) else {"json": body} if body else {}
        return self.server.http.request(method, f"/manage{path}", headers=self.headers, **sent)

    def project(self, **members: Any) -> dict[str, Any]:
        body = {"name": f"p-{secrets.token_hex(8)}", "api_key": KEY} | members
        answer = self("POST", "/projects", body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def token(self, project: str, **members: Any) -> dict[str, Any]:
        answer = self("POST", "/tokens", {"project_id": project, "duration_minutes": 60} | members)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def refused(answer: httpx.Response, status: int, error: str) -> dict[str, Any]:
    """Check that it is this error, in the form of every error here, and return its body."""
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    return dict(answer.json())
