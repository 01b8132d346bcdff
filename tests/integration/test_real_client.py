"""The published ``llmring`` client, as its users install and run it, against our server."""

import csv
import io
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from tests.integration.published import installed
from tests.integration.server import Tenant

COLUMNS = "logged_at,provider,model,alias,profile,origin,input_tokens,output_tokens,cost"
KEY = re.compile(r"llmr_pk_[0-9a-f]{32}")

LOG_A_CALL = """
import asyncio, os
from llmring.schemas import LLMRequest, LLMResponse, Message
from llmring.server_client import ServerClient
from llmring.services.logging_service import LoggingService

async def main():
    url, key = os.environ["LLMRING_SERVER_URL"], os.environ["LLMRING_API_KEY"]
    usage = {"prompt_tokens": 1000, "completion_tokens": 200, "cached_tokens": 100}
    response = LLMResponse(content="hello", model="gpt-4.1", usage=usage, finish_reason="stop")
    request = LLMRequest(model="fast", messages=[Message(role="user", content="a secret prompt")])
    async with ServerClient(base_url=url, api_key=key) as client:
        for cost in (None, {"total_cost": 0.1 + 0.2}):
            service = LoggingService(client, True, False, "llmring")
            await service.log_request_response(
                request=request, response=response, alias="fast", provider="openai",
                model="gpt-4.1", cost_info=cost, profile="prod",
            )

asyncio.run(main())
"""
READ_THE_REGISTRY = """
import asyncio, os
from llmring.registry import RegistryClient

async def main():
    registry = RegistryClient(registry_url=os.environ["LLMRING_SERVER_URL"] + "/registry")
    models = await registry.fetch_current_models("openai")
    found = next(model for model in models if model.model_name == "gpt-4.1")
    print(found.dollars_per_million_tokens_input, found.dollars_per_million_tokens_output)

asyncio.run(main())
"""


# Importing the client takes seconds: one process does it once, and a fork of it runs each command.
RUN_COMMANDS = """
import gc, json, os, sys
from llmring.cli import main

gc.freeze()

for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child:
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["home"])
    os.dup2(os.open(asked["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    sys.argv = ["llmring", *asked["words"]]
    try:
        code = exec(asked["script"]) if asked["script"] else main()
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    os._exit(code or 0)
"""


@dataclass(frozen=True, slots=True)
class Client:
    """The installed client, in a home of its own and with one tenant's key."""

    commands: subprocess.Popen[str]
    home: Path
    tenant: Tenant

    def llmring(self, *words: str, exported: bool = True) -> str:
        """What the command line prints; it must succeed."""
        return self._run(words, "", exported)

    def python(self, script: str) -> str:
        return self._run((), script, exported=True)

    def environment(self, exported: bool) -> dict[str, str]:
        own = {"HOME": str(self.home), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        url, key = self.tenant.server.url, self.tenant.key
        return own | ({"LLMRING_SERVER_URL": url, "LLMRING_API_KEY": key} if exported else {})

    def _run(self, words: tuple[str, ...], script: str, exported: bool) -> str:
        output = self.home / "printed"
        asked = {
            "words": words,
            "script": script,
            "environment": self.environment(exported),
            "home": str(self.home),
            "output": str(output),
        }
        assert self.commands.stdin and self.commands.stdout
        self.commands.stdin.write(json.encode(asked).decode() + "\n")
        self.commands.stdin.flush()
        code = self.commands.stdout.readline().strip()
        assert code == "0", f"exit code {code}:\n{output.read_text()}"
        return output.read_text()


@pytest.fixture(scope="session")
def programs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed("llmring==1.4.0", request.config, tmp_path_factory)


@pytest.fixture(scope="session")
def commands(programs: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(  # noqa: S603  our own words
        [programs / "python", "-c", RUN_COMMANDS],
        env={"PATH": os.environ["PATH"], "HOME": str(programs)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


@pytest.fixture
def client(commands: subprocess.Popen[str], tmp_path: Path, anyone: Tenant) -> Client:
    return Client(commands, tmp_path, anyone)


def rows_of(text: str) -> list[dict[str, Any]]:
    """The JSON the client prints after whatever it says before."""
    return list(json.decode(text[text.index("[") :].strip()))


def test_its_program_finds_the_server_and_writes_the_address_down(
    programs: Path, anyone: Tenant, tmp_path: Path
) -> None:
    url = anyone.server.url
    done = subprocess.run(  # noqa: S603  our own words
        [programs / "llmring", "server", "init", "--server", url],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    written = (tmp_path / ".env.llmring").read_text()
    assert done.returncode == 0 and "healthy" in done.stdout
    assert url in written and KEY.search(written)


def test_status_says_that_we_are_well_and_take_the_key(client: Client) -> None:
    said = client.llmring("server", "status")

    assert "status=healthy database=connected" in said
    assert "API key accepted by usage endpoint." in said


def test_a_rotated_key_is_a_new_project_without_asking_us(client: Client) -> None:
    url = client.tenant.server.url
    client.llmring("server", "init", "--server", url, exported=False)
    first = _key_in(client)
    client.llmring("server", "key", "rotate", exported=False)
    second = _key_in(client)
    Tenant(client.tenant.server, first).log()
    Tenant(client.tenant.server, second).log()

    assert first != second
    assert len(Tenant(client.tenant.server, second).logs()) == 1


def test_logs_are_listed_with_the_unpriced_among_them(client: Client) -> None:
    client.tenant.log(alias="summarizer", origin="tests", cost=0.1)
    client.tenant.log(model="nope", cached_input_tokens=None)

    table = client.llmring("server", "logs")
    rows = rows_of(client.llmring("server", "logs", "--output", "json"))
    assert "summarizer" in table and "0.1000" in table and "nope" in table
    assert [row["model"] for row in rows] == ["nope", "gpt-4.1"]
    assert rows == client.tenant.logs()


def test_logs_can_be_filtered_and_paged(client: Client) -> None:
    for number in range(3):
        client.tenant.log(model=f"m{number}", alias=f"a{number}", origin="tests")

    one = client.llmring("server", "logs", "--alias", "a1", "--origin", "tests", "--json")
    paged = client.llmring("server", "logs", "--limit", "1", "--offset", "2", "--json")
    assert [row["model"] for row in rows_of(one)] == ["m1"]
    assert [row["model"] for row in rows_of(paged)] == ["m0"]


def test_logs_are_exported_as_csv(client: Client) -> None:
    client.tenant.log(alias="a,b", profile='p"q', origin="tests", cost="0.0003")
    client.tenant.log(model="nope")

    said = client.llmring("server", "logs", "--output", "csv")
    unpriced, priced = csv.DictReader(io.StringIO(said[said.index(COLUMNS) :]))
    assert (priced["alias"], priced["profile"], priced["cost"]) == ("a,b", 'p"q', "0.0003")
    assert (unpriced["model"], unpriced["cost"]) == ("nope", "")


def test_stats_are_printed_as_we_answer_them(client: Client) -> None:
    client.tenant.log(alias="summarizer", origin="tests")

    said = client.llmring("server", "stats", "--json")
    assert json.decode(said[said.index("{") :].strip()) == client.tenant.stats()


def test_its_logging_service_writes_a_record_that_we_price(client: Client) -> None:
    client.python(LOG_A_CALL)

    given, priced = client.tenant.logs()
    assert (priced["cost"], priced["cost_status"]) == (0.00345, "registry")
    assert (given["cost"], given["cost_status"]) == (0.3, "client")  # 0.30000000000000004
    for row in (given, priced):
        assert (row["alias"], row["profile"], row["origin"]) == ("fast", "prod", "llmring")
        assert (row["input_tokens"], row["output_tokens"]) == (1000, 200)
        assert row["cached_input_tokens"] == 100 and row["metadata"]["finish_reason"] == "stop"
        assert "secret" not in str(row)
    assert client.tenant.stats()["by_alias"]["fast"]["requests"] == 2


def test_its_registry_client_reads_our_mirror(client: Client) -> None:
    assert client.python(READ_THE_REGISTRY).splitlines()[-1] == "2.0 8.0"


def _key_in(client: Client) -> str:
    (key,) = KEY.findall((client.home / ".env.llmring").read_text())
    return str(key)
