"""``GET /api/v1/logs`` as a file: all of it, and nothing a spreadsheet would calculate."""

import csv
import socket
from io import StringIO

import pytest
from msgspec import json

from tests.integration.server import Tenant, call

FIRST = [
    "logged_at",
    "provider",
    "model",
    "alias",
    "profile",
    "origin",
    "input_tokens",
    "output_tokens",
    "cost",
]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text, newline="")))


def filled(tenant: Tenant, number: int) -> None:
    logs = [call(origin=str(n), metadata={"n": "x" * 200}) for n in range(number)]
    for first in range(0, number, 1000):
        answer = tenant.server.http.post(
            "/api/v1/logs/import",
            content=json.encode({"logs": logs[first : first + 1000]}),
            headers=tenant.headers | {"Content-Type": "application/json"},
        )
        assert answer.status_code == 200


def test_jsonl_has_the_rows_of_the_list(tenant: Tenant) -> None:
    tenant.log(metadata={"ß": ["\n", 1]}, origin="チャット")
    tenant.log(model="nobody knows")

    answer = tenant.get("/api/v1/logs?format=jsonl")

    assert [json.decode(line) for line in answer.content.splitlines()] == tenant.logs()
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["content-disposition"] == 'attachment; filename="usage.jsonl"'


def test_csv_begins_with_the_clients_columns(tenant: Tenant) -> None:
    logged = tenant.log(alias='a "quoted", thing', metadata={"a": [1, "x"]})
    tenant.log(model="nobody knows")

    answer = tenant.get("/api/v1/logs?format=csv")

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="usage.csv"'
    assert answer.text.partition("\r\n")[0].split(",")[:9] == FIRST
    unpriced, priced = rows_of(answer.text)
    assert unpriced["cost"] == "" and unpriced["cost_status"] == "unpriced"
    assert float(priced["cost"]) == logged["cost"] and priced["id"] == logged["log_id"]
    assert priced["alias"] == 'a "quoted", thing'
    assert json.decode(priced["metadata"]) == {"a": [1, "x"]}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "'=", "''+"])
def test_csv_has_no_formulas(tenant: Tenant, start: str) -> None:
    text = f"{start}cmd|' /C calc'!A0"
    tenant.log(
        model=text, alias=text, profile=text, origin=text, id_at_origin=text, client_log_id=text
    )

    (row,) = rows_of(tenant.get("/api/v1/logs?format=csv").text)

    names = ("model", "alias", "profile", "origin", "id_at_origin", "client_log_id")
    assert {row[name] for name in names} == {f"'{text}"}


def test_a_harmless_text_stays_as_it_is(tenant: Tenant) -> None:
    tenant.log(origin="'quoted'", alias="a=b")

    (row,) = rows_of(tenant.get("/api/v1/logs?format=csv").text)
    assert (row["origin"], row["alias"]) == ("'quoted'", "a=b")


def test_a_file_has_everything_that_is_selected(tenant: Tenant) -> None:
    filled(tenant, 1_203)

    everything = rows_of(tenant.get("/api/v1/logs?format=csv").text)
    assert sorted(int(row["origin"]) for row in everything) == list(range(1_203))
    assert len(rows_of(tenant.get("/api/v1/logs?format=csv&origin=7").text)) == 1
    assert len(rows_of(tenant.get("/api/v1/logs?format=csv&limit=3").text)) == 3
    ids = [row["id"] for row in everything]
    assert [
        row["id"] for row in rows_of(tenant.get("/api/v1/logs?format=csv&offset=1200").text)
    ] == (ids[1200:])
    cursor = tenant.get("/api/v1/logs?limit=500").headers["x-next-cursor"]
    rest = tenant.get(f"/api/v1/logs?format=jsonl&cursor={cursor}").content.splitlines()
    assert [json.decode(line)["id"] for line in rest] == ids[500:]


def test_nothing_selected_is_a_header_or_nothing(anyone: Tenant) -> None:
    assert anyone.get("/api/v1/logs?format=csv").text.count("\r\n") == 1
    assert anyone.get("/api/v1/logs?format=jsonl").content == b""


@pytest.mark.parametrize("query", ["format=xml", "format=csv&cursor=!", "format=csv&tz=Mars"])
def test_what_is_wrong_is_said_before_the_file_begins(anyone: Tenant, query: str) -> None:
    assert anyone.get(f"/api/v1/logs?{query}").status_code == 422


def test_other_projects_are_in_no_file(anyone: Tenant) -> None:
    anyone.server.tenant().log()

    assert anyone.get("/api/v1/logs?format=jsonl").content == b""


def test_a_client_that_stops_reading_holds_nothing_up(tenant: Tenant) -> None:
    filled(tenant, 5_000)
    request = (
        f"GET /api/v1/logs?format=jsonl HTTP/1.1\r\nHost: t\r\nX-API-Key: {tenant.key}\r\n\r\n"
    )
    slow = [socket.create_connection(tenant.server.address) for _ in range(35)]  # > the pool's 30
    try:
        for connection in slow:
            connection.sendall(request.encode())
            assert connection.recv(15) == b"HTTP/1.1 200 OK"

        tenant.log()
        assert tenant.stats()["summary"]["total_requests"] == 5_001
        assert len(tenant.logs("limit=500")) == 500
    finally:
        for connection in slow:
            connection.close()
