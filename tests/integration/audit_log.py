"""Asking a server's audit log."""

from typing import Any

import httpx
from msgspec import json

from tests.integration.manager import Manager

Event = dict[str, Any]


def audit(manage: Manager, **filters: object) -> Event:
    """Return a page of the log."""
    answer = manage("GET", f"/audit?{httpx.QueryParams(filters)}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def events(manage: Manager, **filters: object) -> list[Event]:
    """Return the events that are meant, the oldest first."""
    found: list[Event] = audit(manage, page_size=100, **filters)["events"] or []
    return found[::-1]


def accounts(manage: Manager, **filters: object) -> list[tuple[str, Event]]:
    """Return what the events that are meant say was done, the oldest first."""
    found = events(manage, **filters)
    return [(one["action"], json.decode(one.get("metadata", "{}"))) for one in found]


def last(manage: Manager, answer: httpx.Response) -> Event:
    """Return the one event of a request, its metadata read."""
    (event,) = events(manage, request_id=answer.headers["x-request-id"])
    return event | {"metadata": json.decode(event.get("metadata", "{}"))}
