"""Reading the audit log on the wire: page by page, of a time, by what is in it."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.audit_log import audit, events, last
from tests.integration.manager import NOBODY, Manager, refused


class TestReading:
    def test_is_an_event_of_its_own(self, manage: Manager) -> None:
        manage.project()
        answer = manage("GET", "/audit?page_size=2&action=project.create")
        shown = answer.json()["events"][0]
        total = answer.json()["pagination"]["total_count"]
        listed = last(manage, answer)
        assert listed["action"] == "audit.list"
        counts = {"events_count": len(answer.json()["events"]), "total_count": total}
        assert listed["metadata"] == counts | {"page": 1, "page_size": 2}
        one = manage("GET", f"/audit/{shown['id']}")
        assert one.json() == shown
        of_one = last(manage, one)
        assert of_one["action"] == "audit.show"
        assert of_one["metadata"] == {"audit_event_id": shown["id"]}

    def test_of_nobodys_event_is_not_found(self, manage: Manager) -> None:
        for id in (NOBODY, "x", "%C3%A9"):
            refused(manage("GET", f"/audit/{id}"), 404, "audit event not found")

    def test_goes_page_by_page(self, manage: Manager) -> None:
        id = manage.project()["id"]
        for _ in range(4):
            manage("GET", f"/projects/{id}")
        pages = [audit(manage, project_id=id, page=page, page_size=2) for page in (1, 2, 3, 4)]
        assert [len(page["events"] or ()) for page in pages] == [2, 2, 1, 0]
        assert pages[3]["events"] is None
        assert [page["pagination"] for page in pages][1:3] == [
            {
                "page": page,
                "page_size": 2,
                "total_count": 5,
                "total_pages": 3,
                "has_next": page < 3,
                "has_prev": True,
            }
            for page in (2, 3)
        ]
        assert audit(manage, project_id=id, page_size=1000)["pagination"]["page_size"] == 100
        assert audit(manage, project_id=id)["pagination"]["page_size"] == 20

    def test_may_be_of_a_time(self, manage: Manager) -> None:
        id = manage.project()["id"]
        manage("GET", f"/projects/{id}")
        first, second = (one["timestamp"] for one in events(manage, project_id=id))
        assert len(events(manage, project_id=id, start_time=first)) == 2
        (only,) = events(manage, project_id=id, start_time=first, end_time=second)
        assert only["timestamp"] == first
        abroad = datetime.fromisoformat(second).astimezone(UTC) + timedelta(hours=2)
        local = abroad.isoformat().replace("+00:00", "+02:00")
        assert len(events(manage, project_id=id, start_time=local)) == 1
        assert audit(manage, project_id=id, end_time=first)["events"] is None

    def test_may_be_a_search(self, manage: Manager) -> None:
        name = manage.project(name=f"Suche-{secrets.token_hex(8)}")["name"]
        (event,) = events(manage, search=name.upper())
        assert event["action"] == "project.create"
        assert audit(manage, search=f"{name}%")["events"] is None

    @pytest.mark.parametrize(
        "query",
        [
            "page=0",
            "page=-1",
            "page=1.5",
            "page=x",
            "page=1000001",
            "page=99999999999999999999",
            "page_size=0",
            "page_size=-1",
            "page_size=x",
            "page=1&page=2",
            "start_time=2026-11-20",
            "start_time=2026-11-20T00:00:00",
            "start_time=yesterday",
            "end_time=0001-01-01T00:00:00%2B14:00",
            "end_time=9999-12-31T23:59:59-14:00",
            "search=%00",
            f"search={'x' * 257}",
            "project_id=a%00b",
        ],
    )
    def test_refuses_what_is_no_question(self, manage: Manager, query: str) -> None:
        answer = manage("GET", f"/audit?{query}")
        body = refused(answer, 400, answer.json()["error"])
        field = query.partition("=")[0]
        assert [error["loc"] for error in body["detail"]] == [["query", field]]
