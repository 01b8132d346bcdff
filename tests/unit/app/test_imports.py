"""What a server that is told nothing does without."""

import subprocess
import sys
from pathlib import Path

SERVES = """
import sys
import llmring_app.cli.main
from llmring_app.serve import create_application
create_application()
print(*sys.modules)
"""
OPTIONAL = {"aiohttp", "redis", "ruamel.yaml", "tiktoken", "yarl"}


def test_libraries_of_what_is_not_set_up_are_not_imported(tmp_path: Path) -> None:
    """Each of them would take some MB of every server's memory."""
    asked = [sys.executable, "-c", SERVES]
    run = subprocess.run(asked, cwd=tmp_path, env={}, capture_output=True, check=True, text=True)  # noqa: S603  our own words

    assert set(run.stdout.split()) & OPTIONAL == set()
