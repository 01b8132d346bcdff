"""The audit log on the wire: what was done, what was refused, and who looked."""

import secrets
from pathlib import Path

import pytest
from msgspec import json

from tests.integration.audit_log import Event, accounts, audit, events, last
from tests.integration.manager import KEY, NOBODY, TOKEN, Manager
from tests.integration.server import RunningServer, run, running

CANARY = "sk-" + "Zq7canary" * 3  # what a caller may write where no secret belongs


class TestDeeds:
    def test_of_a_project_are_written_down_in_order(self, manage: Manager) -> None:
        made = manage.project()
        id, path = made["id"], f"/projects/{made['id']}"
        manage("GET", path)
        manage("PATCH", path, {"name": f"{made['name']}2", "api_key": KEY, "max_tokens": 9})
        manage.token(id)
        manage("GET", f"/tokens?projectId={id}")
        manage("POST", f"{path}/tokens/revoke")
        manage.token(id)
        manage("PATCH", path, {"is_active": False, "revoke_tokens": True})

        name = {"project_name": f"{made['name']}2"}
        batch = {"total_tokens": 1, "revoked_count": 1, "already_revoked_count": 0}
        told = [one for one in accounts(manage, project_id=id) if one[0] != "token.create"]
        assert told == [
            ("project.create", {"project_name": made["name"]}),
            ("project.read", {}),
            (
                "project.update",
                name | {"updated_fields": ["name", "api_key", "max_tokens"], "tokens_revoked": 0},
            ),
            ("token.list", {"token_count": 1, "filtered_by_project": True}),
            ("token.revoke_batch", batch | {"failed_count": 0}),
            ("project.update", name | {"updated_fields": ["is_active"], "tokens_revoked": 1}),
        ]

    def test_of_a_token_are_written_down_in_order(self, manage: Manager) -> None:
        project = manage.project()["id"]
        token = manage.token(project, max_requests=5)
        path = f"/tokens/{token['id']}"
        manage("GET", path)
        manage("PATCH", path, {"max_requests": 0, "max_usd": "1.50"})
        manage("DELETE", path)
        manage("DELETE", path)

        changed = {"updated_max_requests": "unlimited", "updated_max_usd": "1.5"}
        made = {"duration_minutes": 60, "expires_at": token["expires_at"], "max_requests": 5}
        told = [
            ("token.create", made),
            ("token.read", {}),
            ("token.update", changed),
            ("token.revoke", {"already_revoked": False}),
            ("token.revoke", {"already_revoked": True}),
        ]
        about = {"token_id": token["id"]}
        assert accounts(manage, project_id=project)[1:] == [
            (action, about | details) for action, details in told
        ]
        found = events(manage, search=token["id"], outcome="success")
        assert {one["token_id"] for one in found} == {token["id"]}

    def test_say_where_they_come_from(self, manage: Manager) -> None:
        forged = {
            "X-Request-ID": f"r-{secrets.token_hex(8)}",
            "X-Correlation-ID": "c-1",
            "X-Forwarded-For": "203.0.113.9",
            "X-Real-IP": "203.0.113.9",
            "User-Agent": "tester/1",
        }
        answer = manage.server.http.get("/manage/projects", headers=manage.headers | forged)

        event = last(manage, answer)
        assert event.pop("id") and event.pop("timestamp").endswith("Z")
        assert event == {
            "action": "project.list",
            "actor": "management_api",
            "request_id": forged["X-Request-ID"],
            "correlation_id": "c-1",
            "client_ip": "127.0.0.1",
            "method": "GET",
            "path": "/manage/projects",
            "user_agent": "tester/1",
            "outcome": "success",
            "metadata": {"project_count": len(answer.json())},
        }

    def test_of_the_command_line_are_written_down(self, managed_on_sqlite: Manager) -> None:
        run(managed_on_sqlite.server.folder, "keys", "rotate-encryption")
        event = events(managed_on_sqlite, action="encryption_key.rotate")[-1]
        assert (event["actor"], event["outcome"]) == ("admin", "success")
        assert json.decode(event["metadata"])["provider_keys"] >= 0 and "path" not in event

    def test_of_deletion_are_written_down(self, managed_on_postgres: Manager) -> None:
        made = managed_on_postgres.project()
        event = last(managed_on_postgres, managed_on_postgres("DELETE", f"/projects/{made['id']}"))
        assert (event["action"], event["project_id"]) == ("project.delete", made["id"])
        assert event["metadata"] == {"project_name": made["name"], "tokens_revoked": 0}


class TestRefusals:
    @pytest.mark.parametrize(
        ("method", "path", "body", "action", "words"),
        [
            ("POST", "/projects", b"{", "project.create", "invalid request body"),
            ("POST", "/projects", b"{}", "project.create", "name and api_key are required"),
            (
                "POST",
                "/tokens",
                b"{}",
                "token.create",
                "project_id and duration_minutes are required",
            ),
            ("PATCH", f"/tokens/{NOBODY}", b"{}", "token.update", "no fields to update"),
            (
                "GET",
                "/tokens?activeOnly=x",
                None,
                "token.list",
                "activeOnly: Input should be true or false",
            ),
            (
                "GET",
                "/audit?page=0",
                None,
                "audit.list",
                "page: Input should be greater than or equal to 1",
            ),
        ],
    )
    def test_of_what_breaks_a_rule(
        self, manage: Manager, method: str, path: str, body: bytes | None, action: str, words: str
    ) -> None:
        event = last(manage, manage(method, path, body))
        assert (event["action"], event["outcome"]) == (action, "failure")
        assert (event["actor"], event["reason"]) == ("management_api", words)
        assert event["metadata"] == {"validation_error": words}

    @pytest.mark.parametrize(
        ("method", "path", "action"),
        [
            ("GET", "/projects", "project.read"),
            ("POST", "/projects", "token.revoke_batch"),
            ("GET", "/tokens", "token.read"),
            ("DELETE", "/tokens", "token.revoke"),
            ("GET", "/audit", "audit.show"),
        ],
    )
    def test_of_what_does_not_exist(
        self, manage: Manager, method: str, path: str, action: str
    ) -> None:
        more = "/tokens/revoke" if method == "POST" else ""
        event = last(manage, manage(method, f"{path}/{NOBODY}{more}"))
        assert (event["action"], event["outcome"]) == (action, "failure")
        assert event["path"] == f"/manage{path}/{NOBODY}{more}"
        kinds = {"/projects": "project_id", "/tokens": "token_id"}
        named = event if path in kinds else event["metadata"]
        assert named[kinds.get(path, "audit_event_id")] == NOBODY
        assert event["metadata"]["error_type"] == event["reason"]
        assert event["reason"].endswith(" not found")

    def test_of_deletion_say_why(self, managed_on_sqlite: Manager) -> None:
        id = managed_on_sqlite.project()["id"]
        event = last(managed_on_sqlite, managed_on_sqlite("DELETE", f"/projects/{id}"))
        assert (event["action"], event["outcome"]) == ("project.delete", "failure")
        assert event["reason"] == "project deletion is not permitted"
        assert event["metadata"] == {"error_type": "method not allowed"}


class TestDenials:
    def test_are_written_down_and_bounded(self, tmp_path: Path) -> None:
        with running(tmp_path, management_token=TOKEN) as server:
            manage = Manager(server)
            for number in range(40):
                headers = {"Authorization": f"Bearer {CANARY}{number}"} if number % 2 else {}
                answer = server.http.post("/manage/projects", content=b"{", headers=headers)
                assert answer.status_code == 401
            found = events(manage, outcome="denied")
            assert len(found) == 30
            reasons = {one["reason"] for one in found}
            assert reasons == {
                "missing or invalid Authorization header",
                "invalid management token",
            }
            facts = {(one["action"], one["actor"], one["client_ip"]) for one in found}
            assert facts == {("project.create", "anonymous", "127.0.0.1")}
            folder = server.folder
        with running(folder, management_token=TOKEN) as server:
            (event,) = events(Manager(server), action="audit.left_out")
        assert json.decode(event["metadata"]) == {"left_out": 10}

    def test_are_none_where_nobody_manages(self, server_on_sqlite: RunningServer) -> None:
        assert server_on_sqlite.http.get("/manage/audit").status_code == 404


def test_of_a_path_only_the_route_and_ids_are_written_down(manage: Manager) -> None:
    for kind in ("projects", "tokens", "audit"):
        event = last(manage, manage("GET", f"/{kind}/0123456789abcdef"))
        assert event["path"] == f"/manage/{kind}/{{id}}"
        assert not {"project_id", "token_id"} & event.keys()


def test_no_secret_is_written_down(manage: Manager) -> None:
    project = manage.project(name=f"p {CANARY}")["id"]
    token = manage.token(project)
    headers = manage.headers | {"User-Agent": f"x Bearer {CANARY}", "X-Request-ID": token["token"]}
    for secret in (token["token"], KEY, CANARY):
        manage("GET", f"/tokens/{secret}")
        manage("GET", f"/tokens?projectId={secret}")
        manage("GET", f"/audit?search={secret}&page={secret}")
        manage("POST", "/projects", {"name": secret, "api_key": f"{secret}..."})
        manage("POST", "/projects", f'{{"{secret}":1,"{secret}":2}}'.encode())
        manage.server.http.get("/manage/tokens", headers=headers)
        wrong = {"Authorization": f"Bearer {secret}"}
        manage.server.http.get(f"/manage/projects/{secret}", headers=wrong)
    manage("PATCH", f"/projects/{project}", {"provider_keys": {"anthropic": KEY}})

    found: list[Event] = []
    page = audit(manage, page_size=100)
    while page["events"]:
        found += page["events"]
        page = audit(manage, page_size=100, page=page["pagination"]["page"] + 1)
    said = json.encode(found).decode()
    assert len(found) > 20
    for hidden in (token["token"], KEY, CANARY, TOKEN):
        assert hidden not in said
