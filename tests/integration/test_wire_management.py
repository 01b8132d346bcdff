"""The management API on the wire: what operators may do, and what nobody may."""

from pathlib import Path

import pytest
from msgspec import json

from tests.integration.manager import KEY, NOBODY, SHOWN, TOKEN, Manager, refused
from tests.integration.server import RunningServer, run

PROVIDER_RULE = "must name a provider: up to 64 lower-case letters, digits, dots, _ and hyphens"


class TestAccess:
    @pytest.mark.parametrize(
        "sent",
        [None, "", TOKEN, f"bearer {TOKEN}", f"Basic {TOKEN}", f"Bearer{TOKEN}", "Bearer"],
    )
    def test_needs_a_bearer(self, managed_on_sqlite: Manager, sent: str | None) -> None:
        headers = {} if sent is None else {"Authorization": sent}
        answer = managed_on_sqlite.server.http.get("/manage/projects", headers=headers)

        refused(answer, 401, "missing or invalid Authorization header")
        assert answer.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize("sent", [TOKEN[:-1], f"{TOKEN}x", TOKEN.swapcase(), "x", "ÿ" * 40])
    def test_needs_this_one(self, managed_on_sqlite: Manager, sent: str) -> None:
        headers = {"Authorization": f"Bearer {sent}".encode("latin-1")}
        answer = managed_on_sqlite.server.http.get("/manage/projects", headers=headers)

        refused(answer, 401, "invalid management token")

    def test_a_tenants_key_opens_nothing_here_and_this_token_nothing_there(
        self, managed_on_sqlite: Manager
    ) -> None:
        secret = managed_on_sqlite.token(managed_on_sqlite.project()["id"])["token"]
        for key in (managed_on_sqlite.server.tenant().key, secret):
            headers = {"Authorization": f"Bearer {key}", "X-API-Key": key}
            answer = managed_on_sqlite.server.http.get("/manage/tokens", headers=headers)
            refused(answer, 401, "invalid management token")

    def test_is_asked_before_anything_is_looked_at(self, managed_on_sqlite: Manager) -> None:
        for path in ("/manage/projects", f"/manage/projects/{NOBODY}", "/manage/tokens?projectId"):
            assert managed_on_sqlite.server.http.get(path).status_code == 401
        answer = managed_on_sqlite.server.http.post("/manage/projects", content=b"{")
        refused(answer, 401, "missing or invalid Authorization header")

    def test_without_a_token_there_is_no_management(self, server_on_sqlite: RunningServer) -> None:
        for headers in ({}, {"Authorization": "Bearer None"}, {"Authorization": "Bearer x"}):
            answer = server_on_sqlite.http.get("/manage/projects", headers=headers)
            said = "there is no management API; LLMRING_MANAGEMENT_TOKEN is not set"
            refused(answer, 404, said)


class TestProjects:
    def test_live_from_creation_to_change(self, manage: Manager) -> None:
        made = manage.project()
        id = made["id"]
        assert made["api_key"] == SHOWN and made["is_active"] is True
        assert "deactivated_at" not in made and made["created_at"] == made["updated_at"]
        assert made in manage("GET", "/projects").json()
        assert manage("GET", f"/projects/{id}").json() == made

        off = manage("PATCH", f"/projects/{id}", {"is_active": False}).json()
        assert off["is_active"] is False and off["deactivated_at"] == off["updated_at"]
        named = manage("PATCH", f"/projects/{id}", {"name": f"{made['name']}-2"}).json()
        assert named["name"] == f"{made['name']}-2"
        assert named["deactivated_at"] == off["deactivated_at"]
        on = manage("PATCH", f"/projects/{id}", {"is_active": True, "api_key": ""}).json()
        assert on["is_active"] is True and "deactivated_at" not in on
        assert on["api_key"] == SHOWN

    def test_are_listed_by_name(self, manage: Manager) -> None:
        manage.project()
        names = [one["name"] for one in manage("GET", "/projects").json()]
        assert names == sorted(names)

    def test_keep_keys_of_several_providers_and_show_none(self, manage: Manager) -> None:
        made = manage.project(default_provider="anthropic", provider_keys={"openai": "sk-short"})
        keys = {"anthropic": SHOWN, "openai": "sk******"}
        assert made["provider_keys"] == keys and made["api_key"] == SHOWN
        changed = manage("PATCH", f"/projects/{made['id']}", {"openai_api_key": "abcd"}).json()
        assert changed["provider_keys"] == keys | {"anthropic": "****"}

    def test_have_an_order_of_providers_and_receipts(self, manage: Manager) -> None:
        usual = manage.project()
        assert (usual["fallbacks"], usual["issues_receipts"]) == ([], False)
        order = ["openai", "openai", "groq-2"]
        made = manage.project(fallbacks=order, issues_receipts=True)
        assert (made["fallbacks"], made["issues_receipts"]) == (order, True)
        assert made in manage("GET", "/projects").json()
        path = f"/projects/{made['id']}"
        kept = {"fallbacks": None, "issues_receipts": None, "default_provider": "groq"}
        for change, expected in (
            (kept, (order, True)),
            ({"issues_receipts": False}, (order, False)),
            ({"fallbacks": ["groq"]}, (["groq"], False)),
            ({"fallbacks": []}, ([], False)),
        ):
            after = manage("PATCH", path, change).json()
            assert (after["fallbacks"], after["issues_receipts"]) == expected
            assert manage("GET", path).json() == after

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("fallbacks", "openai"),
            ("fallbacks", {"openai": "groq"}),
            ("fallbacks", ["openai", 1]),
            ("fallbacks", [["openai"]]),
            ("fallbacks", ["openai", None]),
            ("issues_receipts", "always"),
            ("issues_receipts", 2),
            ("issues_receipts", ["openai"]),
        ],
    )
    def test_refuse_settings_of_another_type(
        self, managed_on_sqlite: Manager, member: str, value: object
    ) -> None:
        made = managed_on_sqlite.project()
        create = {"name": f"{made['name']}-2", "api_key": KEY, member: value}
        for method, path, body in (
            ("POST", "/projects", create),
            ("PATCH", f"/projects/{made['id']}", {member: value}),
        ):
            answer = managed_on_sqlite(method, path, body)
            said = refused(answer, 400, "invalid request body")
            assert [error["loc"] for error in said["detail"]] == [["body", member]]

    @pytest.mark.parametrize(
        ("fallbacks", "error"),
        [
            (["openai"] * 9, "must name at most 8 providers"),
            *[([name], PROVIDER_RULE) for name in ("", "Open AI", "a b", "a" * 65, "ö", "-a")],
        ],
    )
    def test_refuse_an_order_that_is_none(
        self, managed_on_sqlite: Manager, fallbacks: list[str], error: str
    ) -> None:
        made = managed_on_sqlite.project(fallbacks=["openai"] * 8)
        create = {"name": f"{made['name']}-2", "api_key": KEY, "fallbacks": fallbacks}
        for method, path, body in (
            ("POST", "/projects", create),
            ("PATCH", f"/projects/{made['id']}", {"fallbacks": fallbacks}),
        ):
            refused(managed_on_sqlite(method, path, body), 400, f"fallbacks: {error}")
        assert managed_on_sqlite("GET", f"/projects/{made['id']}").json() == made

    def test_take_the_older_name_of_the_key(self, manage: Manager) -> None:
        assert manage.project(api_key=None, openai_api_key=KEY)["api_key"] == SHOWN
        body = {"name": "x", "api_key": KEY, "openai_api_key": f"{KEY}2"}
        answer = manage("POST", "/projects", body)
        refused(answer, 400, "api_key and openai_api_key differ; send one")

    def test_are_projects_of_everybody_elses(self, managed_on_sqlite: Manager) -> None:
        name = managed_on_sqlite.project()["name"]
        answer = managed_on_sqlite("POST", "/projects", {"name": name, "api_key": KEY})
        refused(answer, 409, f"a project named {name!r} exists already")

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            (b"{", "invalid request body"),
            (b"[]", "invalid request body"),
            (b"", "invalid request body"),
            (b'{"name":1,"api_key":"k"}', "invalid request body"),
            (b'{"name":"a","name":"b","api_key":"k"}', "invalid request body"),
            (b'{"api_key":"k"}', "name and api_key are required"),
            (b'{"name":"a"}', "name and api_key are required"),
            (b'{"name":"a","api_key":""}', "name and api_key are required"),
            (b'{"name":"a\\u0000","api_key":"k"}', "name: must not contain the NUL character"),
            (
                b'{"name":"a","api_key":"sk-proj-...0001"}',
                "cannot save obfuscated API key - please provide the full API key",
            ),
            (
                b'{"name":"a","api_key":"k\\r\\nX-Evil: 1"}',
                "api_key: must be 1 to 1024 visible ASCII characters",
            ),
        ],
    )
    def test_refuse_what_is_none(self, manage: Manager, body: bytes, error: str) -> None:
        before = manage("GET", "/projects").json()
        refused(manage("POST", "/projects", body), 400, error)
        assert manage("GET", "/projects").json() == before

    def test_name_the_field_that_is_wrong(self, managed_on_sqlite: Manager) -> None:
        body = refused(
            managed_on_sqlite("POST", "/projects", {"name": 1}), 400, "invalid request body"
        )
        assert [error["loc"] for error in body["detail"]] == [["body", "name"]]

    def test_that_do_not_exist_are_not_found(self, manage: Manager) -> None:
        body = {"name": "x"}
        refused(manage("GET", f"/projects/{NOBODY}"), 404, "project not found")
        refused(manage("PATCH", f"/projects/{NOBODY}", body), 404, "project not found")
        refused(manage("POST", f"/projects/{NOBODY}/tokens/revoke"), 404, "project not found")

    def test_revoke_tokens_only_when_they_are_switched_off(self, manage: Manager) -> None:
        id = manage.project()["id"]
        token = manage.token(id)["id"]
        for body in ({"revoke_tokens": True}, {"revoke_tokens": True, "is_active": True}):
            answer = manage("PATCH", f"/projects/{id}", body)
            refused(answer, 400, "revoke_tokens requires is_active=false")
        body = {"revoke_tokens": True, "is_active": False}
        assert manage("PATCH", f"/projects/{id}", body).status_code == 200
        assert manage("GET", f"/tokens/{token}").json()["is_active"] is False
        assert manage("PATCH", f"/tokens/{token}", {"is_active": True}).status_code == 200
        assert manage("PATCH", f"/projects/{id}", body).status_code == 200  # it is off already
        assert manage("GET", f"/tokens/{token}").json()["is_active"] is True

    def test_stay_unless_the_settings_say_otherwise(self, managed_on_sqlite: Manager) -> None:
        id = managed_on_sqlite.project()["id"]
        answer = managed_on_sqlite("DELETE", f"/projects/{id}")
        body = refused(answer, 405, "method not allowed")
        assert body["message"] == "project deletion is not permitted"
        assert answer.headers["allow"] == "GET, PATCH"
        assert managed_on_sqlite("GET", f"/projects/{id}").status_code == 200

    def test_deleted_close_for_good(self, managed_on_postgres: Manager) -> None:
        made = managed_on_postgres.project()
        token = managed_on_postgres.token(made["id"])["id"]
        assert managed_on_postgres("DELETE", f"/projects/{made['id']}").status_code == 204
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/tokens/revoke")):
            answer = managed_on_postgres(method, f"/projects/{made['id']}{path}")
            refused(answer, 404, "project not found")
        assert made["id"] not in {
            one["id"] for one in managed_on_postgres("GET", "/projects").json()
        }
        assert managed_on_postgres("GET", f"/tokens/{token}").json()["is_active"] is False


def test_no_secret_is_stored_or_said(managed_on_sqlite: Manager) -> None:
    secret = managed_on_sqlite.token(managed_on_sqlite.project()["id"])["token"]
    managed_on_sqlite("POST", "/projects", {"name": KEY})
    folder: Path = managed_on_sqlite.server.folder
    stored = b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())
    for hidden in (secret, KEY, TOKEN):
        assert hidden.encode() not in stored and hidden not in managed_on_sqlite.server.said
    assert (folder / "llmring-encryption.key").stat().st_mode & 0o777 == 0o600


def test_a_project_is_the_one_its_keys_open(managed_on_sqlite: Manager) -> None:
    made = run(managed_on_sqlite.server.folder, "keys", "create", "--project", "both", "--json")
    project = managed_on_sqlite.project(name="both")

    assert project["id"] == json.decode(made)["project_id"]
