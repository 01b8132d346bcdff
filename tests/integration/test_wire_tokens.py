"""Withering tokens over the management API."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.manager import NOBODY, Manager, refused

MINUTES = 60


@pytest.fixture
def project(manage: Manager) -> str:
    return str(manage.project()["id"])


class TestCreation:
    def test_shows_the_token_once(self, manage: Manager, project: str) -> None:
        made = manage.token(project)
        assert re.fullmatch(r"sk-[A-Za-z0-9_-]{43}", made["token"])
        assert made.keys() == {"id", "token", "expires_at"}
        left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
        assert timedelta(minutes=MINUTES - 1) < left <= timedelta(minutes=MINUTES)

        (listed,) = manage("GET", f"/tokens?projectId={project}").json()
        assert manage("GET", f"/tokens/{made['id']}").json() == listed
        secret = made["token"]
        assert listed.pop("token") == f"{secret[:7]}{'*' * 14}{secret[-4:]}"
        assert listed.pop("created_at")
        assert listed == {
            "id": made["id"],
            "project_id": project,
            "expires_at": made["expires_at"],
            "is_active": True,
            "request_count": 0,
            "max_requests": None,
            "max_requests_per_minute": None,
            "last_used_at": None,
            "cache_hit_count": 0,
        }

    def test_with_limits_says_so(self, manage: Manager, project: str) -> None:
        made = manage.token(
            project, max_requests=5, max_requests_per_minute=2, max_usd="1.50", max_tokens=9
        )
        assert made["max_requests"] == 5
        found = manage("GET", f"/tokens/{made['id']}").json()
        assert (found["max_requests"], found["max_requests_per_minute"]) == (5, 2)
        assert found["budget"] == {
            "max_usd": "1.5",
            "max_tokens": 9,
            "spent_usd": "0",
            "spent_tokens": 0,
            "held_usd": "0",
            "held_tokens": 0,
        }
        assert "max_requests" not in manage.token(project, max_requests=0)

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            (b"{", "invalid request body"),
            (b'{"project_id":"x","duration_minutes":1.5}', "invalid request body"),
            (
                b'{"project_id":"x","duration_minutes":525601}',
                "duration_minutes exceeds maximum allowed",
            ),
            (b'{"project_id":"x"}', "project_id and duration_minutes are required"),
            (
                b'{"project_id":"x","duration_minutes":-1}',
                "project_id and duration_minutes are required",
            ),
            (b'{"duration_minutes":1}', "project_id is required"),
            (
                b'{"project_id":"x","duration_minutes":1,"max_requests":-1}',
                "max_requests must be >= 0",
            ),
            (
                b'{"project_id":"x","duration_minutes":1,"max_usd":"NaN"}',
                "max_usd: must be US dollars with at most 12 decimals, such as 0.0025",
            ),
            (
                b'{"project_id":"x","duration_minutes":1,"max_tokens":-1}',
                "max_tokens: must be between 0 and 9007199254740991",
            ),
        ],
    )
    def test_refuses_what_is_none(self, manage: Manager, body: bytes, error: str) -> None:
        refused(manage("POST", "/tokens", body), 400, error)

    def test_needs_a_project_that_is_in_use(self, manage: Manager, project: str) -> None:
        wanted = {"project_id": NOBODY, "duration_minutes": 1}
        refused(manage("POST", "/tokens", wanted), 404, "project not found")
        manage("PATCH", f"/projects/{project}", {"is_active": False})
        answer = manage("POST", "/tokens", wanted | {"project_id": project})
        body = refused(answer, 403, "cannot create tokens for inactive projects")
        assert body["code"] == "project_inactive"


class TestChanges:
    def test_set_and_lift_limits(self, manage: Manager, project: str) -> None:
        path = f"/tokens/{manage.token(project, max_usd='1')['id']}"
        limits = {"max_requests": 7, "max_requests_per_minute": 3, "max_tokens": 10}
        changed = manage("PATCH", path, limits).json()
        assert (changed["max_requests"], changed["max_requests_per_minute"]) == (7, 3)
        assert (changed["budget"]["max_usd"], changed["budget"]["max_tokens"]) == ("1", 10)
        lifted = manage("PATCH", path, {"max_requests": 0, "max_usd": None}).json()
        assert (lifted["max_requests"], lifted["max_requests_per_minute"]) == (None, 3)
        assert (lifted["budget"]["max_usd"], lifted["budget"]["max_tokens"]) == (None, 10)

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            (b"{}", "no fields to update"),
            (b'{"max_requests":null,"expires_at":"2030-01-01"}', "no fields to update"),
            (b'{"max_requests":-1}', "max_requests must be >= 0"),
            (b'{"is_active":"maybe"}', "invalid request body"),
        ],
    )
    def test_refuse_what_is_none(
        self, manage: Manager, project: str, body: bytes, error: str
    ) -> None:
        path = f"/tokens/{manage.token(project)['id']}"
        refused(manage("PATCH", path, body), 400, error)

    def test_of_tokens_nobody_has_are_not_found(self, manage: Manager, project: str) -> None:
        secret = manage.token(project)["token"]
        for id in (NOBODY, secret):
            refused(manage("GET", f"/tokens/{id}"), 404, "token not found")
            refused(manage("PATCH", f"/tokens/{id}", {"is_active": False}), 404, "token not found")
            refused(manage("DELETE", f"/tokens/{id}"), 404, "token not found")


class TestRevocation:
    def test_may_be_repeated_and_undone(self, manage: Manager, project: str) -> None:
        path = f"/tokens/{manage.token(project)['id']}"
        for _ in range(2):
            answer = manage("DELETE", path)
            assert (answer.status_code, answer.content) == (204, b"")
        assert manage("GET", path).json()["is_active"] is False
        assert manage("PATCH", path, {"is_active": True}).json()["is_active"] is True

    def test_of_a_whole_project_counts(self, manage: Manager, project: str) -> None:
        ids = [manage.token(project)["id"] for _ in range(3)]
        manage("DELETE", f"/tokens/{ids[0]}")
        theirs = manage.token(manage.project()["id"])["id"]
        path = f"/projects/{project}/tokens/revoke"
        first, again = manage("POST", path).json(), manage("POST", path).json()
        assert first == {"revoked_count": 2, "already_revoked_count": 1, "total_tokens": 3}
        assert again == {"revoked_count": 0, "already_revoked_count": 3, "total_tokens": 3}
        assert manage("GET", f"/tokens/{theirs}").json()["is_active"] is True


class TestLists:
    def test_are_of_one_project_or_of_all_newest_first(self, manage: Manager, project: str) -> None:
        first, second = manage.token(project)["id"], manage.token(project)["id"]
        other = manage.token(manage.project()["id"])["id"]
        for query in (f"projectId={project}", f"project_id={project}"):
            found = manage("GET", f"/tokens?{query}").json()
            assert [one["id"] for one in found] == [second, first]
        everybodys = [one["id"] for one in manage("GET", "/tokens").json()]
        assert everybodys[:3] == [other, second, first]

    def test_may_leave_out_what_is_revoked(self, manage: Manager, project: str) -> None:
        first, second = manage.token(project)["id"], manage.token(project)["id"]
        manage("DELETE", f"/tokens/{first}")
        for name in ("activeOnly", "active_only"):
            found = manage("GET", f"/tokens?projectId={project}&{name}=true").json()
            assert [one["id"] for one in found] == [second]

    @pytest.mark.parametrize(
        ("query", "error"),
        [
            ("projectId=a&project_id=b", "projectId and project_id differ; send one"),
            ("projectId=a&projectId=b", "projectId: must be given once"),
            ("activeOnly=maybe", "activeOnly: Input should be true or false"),
        ],
    )
    def test_refuse_what_is_no_question(
        self, managed_on_sqlite: Manager, query: str, error: str
    ) -> None:
        refused(managed_on_sqlite("GET", f"/tokens?{query}"), 400, error)
