"""What the documents show is executed: a reader types it in and it works."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.server import RunningServer

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
IN_PROCESS = (ROOT / "docs/how-to/in-process.md").read_text()
CLIENT = (ROOT / "docs/how-to/client.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def run_python(source: str, folder: Path) -> str:
    environment = {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-W", "error", "-c", source]
    done = subprocess.run(  # noqa: S603  our own documents
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_two_curls_log_a_call_and_show_its_cost(server_on_sqlite: RunningServer) -> None:
    log, stats = (block for block in blocks(README, "sh") if block.startswith("curl"))

    answers = []
    for command in (log, stats):
        here = command.replace("http://127.0.0.1:8000", server_on_sqlite.url)
        done = subprocess.run(  # noqa: S602  our own document
            here, shell=True, capture_output=True, text=True, timeout=30, check=True
        )
        answers.append(json.loads(done.stdout))

    assert answers[0]["cost"] == 0.00027
    assert answers[0]["cost_status"] == "registry"
    assert answers[1]["summary"]["total_cost"] == "0.00027000"


def test_ten_lines_of_python_meter_a_call(tmp_path: Path) -> None:
    (source,) = blocks(README, "python")

    assert run_python(source, tmp_path) == "0.00027 US dollars\n"


def test_the_sdks_example_runs(server_on_sqlite: RunningServer, tmp_path: Path) -> None:
    (source,) = blocks(CLIENT, "python")
    here = source.replace("http://127.0.0.1:8000", server_on_sqlite.url)

    first, *_, last = run_python(here, tmp_path).splitlines()

    assert (first, last) == ("0.00027 US dollars", "0.00027000 US dollars in all")


@pytest.mark.parametrize("index", [0, 1])
def test_the_in_process_examples_run(index: int, tmp_path: Path) -> None:
    source = blocks(IN_PROCESS, "python")[index]

    assert run_python(source, tmp_path)


def test_the_errors_page_is_current() -> None:
    source = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    source += "from tools.errors_reference import TARGET, reference\n"
    source += "assert TARGET.read_text() == reference(), 'run python tools/errors_reference.py'\n"

    assert run_python(source, ROOT) == ""
