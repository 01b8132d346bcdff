"""``llmring-server usage``: files in, files out, and prices that changed."""

import csv
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from msgspec import json

from tests.integration.server import call
from tests.integration.test_cli import Program
from tests.services.postgres import new_database
from tests.services.search import skip_when_unavailable
from tests.unit.registry.builders import entry, published

PROVIDERS = ("openai", "anthropic", "google")
PRICE = "dollars_per_million_tokens_"
VERSION = 10**6  # newer than what is bundled


@pytest.fixture
def llmring(tmp_path: Path) -> Program:
    program = Program(tmp_path)
    assert program("keys", "create", "--project", "demo").code == 0
    assert program("keys", "create", "--project", "other").code == 0
    return program


def write(llmring: Program, name: str, *lines: object) -> None:
    text = b"\n".join(line if isinstance(line, bytes) else json.encode(line) for line in lines)
    (llmring.folder / name).write_bytes(text)


def imported(llmring: Program, name: str, project: str = "demo") -> dict[str, int]:
    done = llmring("usage", "import", name, "--project", project, "--json")
    return dict(json.decode(done.out))


def exported(llmring: Program, *words: str, project: str = "demo") -> list[dict[str, Any]]:
    done = llmring("usage", "export", "--project", project, "--format", "jsonl", *words)
    assert done.code == 0, done.err
    return [json.decode(line) for line in done.out.splitlines()]


def sums(llmring: Program) -> list[tuple[int, int, Decimal]]:
    """Return requests, tokens and cost by the records, and by the totals of quarters and days."""
    records = (
        "SELECT sum(kind <> 'adjustment'), sum(input_uncached + output), sum(cost_usd) "
        "FROM usage_records"
    )
    totals = (
        "SELECT sum(requests), sum(input_tokens + output_tokens), "
        "sum(cost_micros) * 1000000 + sum(cost_picos) FROM usage_totals WHERE span = "
    )
    with closing(sqlite3.connect(llmring.folder / "llmring.db")) as connection:
        queries = (records, f"{totals} 1", f"{totals} 96")
        found = [connection.execute(query).fetchone() for query in queries]
    return [(calls, tokens, Decimal(cost).scaleb(-12)) for calls, tokens, cost in found]


@contextmanager
def registry(folder: Path, price: Decimal) -> Iterator[str]:
    """Publish a registry whose one model of each provider costs this much; yield its address."""
    for provider in PROVIDERS:
        (folder / provider).mkdir(parents=True)
        model = entry(**{f"{PRICE}input": price, f"{PRICE}output": Decimal(0)})
        file = published(provider, VERSION, brand_new=model)
        (folder / provider / "models.json").write_bytes(file)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class TestImport:
    def test_stores_a_file_once(self, llmring: Program) -> None:
        lines = [call(output_tokens=n, logged_at="2025-03-01T10:00:00Z") for n in range(1200)]
        write(llmring, "calls.jsonl", *lines, lines[0])

        first, second = imported(llmring, "calls.jsonl"), imported(llmring, "calls.jsonl")

        assert first == {"accepted": 1201, "duplicates": 0, "rejected": 0}
        assert second == {"accepted": 0, "duplicates": 1201, "rejected": 0}
        rows = exported(llmring)
        assert len(rows) == 1201 and {row["logged_at"] for row in rows} == {"2025-03-01T10:00:00Z"}
        assert len(set(sums(llmring))) == 1

    def test_goes_on_where_it_stopped(self, llmring: Program) -> None:
        lines = [call(output_tokens=n) for n in range(700)]
        write(llmring, "part.jsonl", *lines[:300])
        write(llmring, "whole.jsonl", *lines)

        imported(llmring, "part.jsonl")
        assert imported(llmring, "whole.jsonl") == {
            "accepted": 400,
            "duplicates": 300,
            "rejected": 0,
        }

    def test_says_which_lines_it_refuses_and_stores_the_others(self, llmring: Program) -> None:
        write(llmring, "c.jsonl", call(), b"", call(cost=-1), b"{", b"[]", {"model": "m"}, b"\xff")

        done = llmring("usage", "import", "c.jsonl", "--project", "demo")

        assert done.code == 1 and done.out == "1 calls stored, 0 known before, 5 refused\n"
        *complaints, last = done.err.splitlines()
        assert [line.partition(":")[0] for line in complaints] == [
            f"line {number}" for number in range(3, 8)
        ]
        assert complaints[0] == "line 3: cost: must be between 0 and 1000000 US dollars"
        assert last == "Error: 5 lines were refused; mend them and import again"
        assert len(exported(llmring)) == 1

    @pytest.mark.parametrize("format", ["csv", "jsonl"])
    def test_takes_what_export_writes(self, llmring: Program, format: str) -> None:
        text = "=cmd|' /C calc'!A0"
        lines = [
            call(origin=text, alias="'=", metadata={"a": [1, "x,\"y'\n"]}, cost="0.000000000001"),
            call(model="nobody knows", logged_at="2024-02-29T12:00:00.000001Z"),
        ]
        write(llmring, "calls.jsonl", *lines)
        imported(llmring, "calls.jsonl")
        name = f"out.{format}"
        words = ("--project", "demo", "--format", format, "--output", name)
        assert llmring("usage", "export", *words).err == f"2 calls written to {name}\n"

        assert imported(llmring, name, "other")["accepted"] == 2
        assert imported(llmring, name, "other")["duplicates"] == 2
        ours = {"id", "client_log_id", "cost_status"}
        before, after = exported(llmring), exported(llmring, project="other")
        assert [{k: v for k, v in row.items() if k not in ours} for row in after] == [
            {k: v for k, v in row.items() if k not in ours} for row in before
        ]

    def test_needs_a_file_and_a_project_that_exist(self, llmring: Program) -> None:
        write(llmring, "x.csv", b"model,provider\na,b\n")
        write(llmring, "y.csv", b"\xff\xfe")
        said = [
            llmring("usage", "import", *words).err
            for words in (
                ("nope", "--project", "demo"),
                ("x.csv", "--project", "nope"),
                ("x.csv", "--project", "demo"),
                ("y.csv", "--project", "demo"),
                ("x.csv", "--project-id", "'; --"),
            )
        ]
        assert [line.partition(":")[2].strip()[:30] for line in said] == [
            "nope cannot be read: No such f",
            "there is no project 'nope'; `l",
            "the first line of the file mus",
            "line 1 is no CSV in UTF-8: 'ut",
            "--project-id must be a UUID in",
        ]
        assert all(line.startswith("Error: ") and line.count("\n") == 1 for line in said)
        assert llmring("usage", "import", "x.csv").code == 2


class TestExport:
    def test_selects_by_day_and_zone(self, llmring: Program) -> None:
        moments = ["2025-03-01T23:30:00Z", "2025-03-02T00:30:00Z", "2025-03-03T00:30:00Z"]
        write(llmring, "calls.jsonl", *(call(logged_at=at) for at in moments))
        imported(llmring, "calls.jsonl")

        day = ("--from", "2025-03-02", "--to", "2025-03-02")
        assert [row["logged_at"] for row in exported(llmring, *day)] == [moments[1]]
        here = exported(llmring, *day, "--tz", "Europe/Berlin")
        assert [row["logged_at"] for row in here] == [moments[1], moments[0]]
        done = llmring("usage", "export", "--project", "demo", "--tz", "Mars")
        assert done.code == 1 and done.err.startswith("Error: tz: ")

    def test_is_csv_unless_told_otherwise(self, llmring: Program) -> None:
        done = llmring("usage", "export", "--project", "demo")
        (header,) = csv.reader(done.out.splitlines())
        assert header[:2] == ["logged_at", "provider"] and "cost" in header

    def test_needs_a_place_to_write_to(self, llmring: Program) -> None:
        done = llmring("usage", "export", "--project", "demo", "--output", "no/such/folder")
        assert done.err == "Error: no/such/folder cannot be written: No such file or directory\n"


class TestReprice:
    def test_prices_what_had_no_price_once(self, llmring: Program, tmp_path: Path) -> None:
        lines = [call(model="brand-new"), call(model="brand-new"), call(cost=1), call(model="x")]
        write(llmring, "calls.jsonl", *lines)
        imported(llmring, "calls.jsonl")
        reprice = ("usage", "reprice", "--project", "demo")
        before = sums(llmring)

        unchanged = llmring(*reprice)
        with registry(tmp_path / "registry", Decimal(2)) as url:
            refreshed = llmring("registry", "refresh", LLMRING_REGISTRY_BASE_URL=url)
        dry = json.decode(llmring(*reprice, "--dry-run", "--json").out)
        untouched = sums(llmring)
        table = llmring(*reprice)
        again = llmring(*reprice)

        assert refreshed.code == 0, refreshed.err
        assert unchanged.out.endswith(" changes nothing\n") and again.out.endswith("nothing\n")
        assert untouched == before
        (model,) = dry["models"]
        assert (model["model"], model["calls"], model["unpriced"]) == ("openai:brand-new", 2, 2)
        assert (Decimal(model["old_usd"]), Decimal(str(model["new_usd"]))) == (0, Decimal("0.004"))
        header, *rows = [line.split() for line in table.out.splitlines()[2:]]
        assert header == ["MODEL", "CALLS", "UNPRICED", "OLD", "$", "NEW", "$", "DIFFERENCE", "$"]
        assert rows == [
            ["openai:brand-new", "2", "2", "0", "0.004", "0.004"],
            ["all", "2", "2", "0", "0.004", "0.004"],
        ]
        after = sums(llmring)
        assert len(set(after)) == 1
        assert after[0] == (before[0][0], before[0][1], before[0][2] + Decimal("0.004"))
        corrections = [row for row in exported(llmring) if row["kind"] == "adjustment"]
        unpriced = [row["id"] for row in exported(llmring) if row["model"] == "brand-new"]
        assert {row["adjusts"] for row in corrections} <= set(unpriced)
        assert [row["cost_status"] for row in corrections] == ["repriced"] * 2


def test_all_of_it_works_on_postgresql(tmp_path: Path, postgres_server: str) -> None:
    with skip_when_unavailable(), new_database(postgres_server) as url:
        llmring = Program(tmp_path)
        here = {"LLMRING_DATABASE_URL": url}
        write(llmring, "calls.jsonl", *(call(output_tokens=n) for n in range(600)))
        project = ("--project", "demo")
        assert llmring("keys", "create", *project, **here).code == 0
        for expected in ("600 calls stored, 0 known", "0 calls stored, 600 known"):
            done = llmring("usage", "import", "calls.jsonl", *project, **here)
            assert done.code == 0 and done.out.startswith(expected), done.err
        done = llmring("usage", "export", *project, "--format", "jsonl", **here)
        assert len(done.out.splitlines()) == 600, done.err
        assert llmring("usage", "reprice", *project, **here).out.endswith("changes nothing\n")
