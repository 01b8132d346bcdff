"""The command line's entry points."""

import asyncio
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from llmring_adapters.archive.manifest import BadArchive
from llmring_adapters.migrations import SchemaTooNew
from llmring_app.cli import backup, config, keys, manage, receipts, registry, serve, usage, witness
from llmring_app.cli import database as database_group
from llmring_app.errors import CannotStart
from llmring_core import __version__
from llmring_core.errors import LLMRingError

DEFAULT_COMMAND = "serve"


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command and return its exit code."""
    args = parsed(sys.argv[1:] if argv is None else argv)
    try:
        outcome = args.run(args)
        code = outcome if isinstance(outcome, int) else asyncio.run(outcome)
        sys.stdout.flush()
        return code
    except (BadArchive, CannotStart, LLMRingError, SchemaTooNew) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def database(argv: Sequence[str] | None = None) -> int:
    """Carry out one ``db`` command: this is ``llmring-db``."""
    return main(["db", *(sys.argv[1:] if argv is None else argv)])


def parsed(argv: Sequence[str]) -> Namespace:
    """Return what ``argv`` asks for; on wrong usage, exit with 2."""
    return _parser().parse_args(_completed(argv))


def _parser() -> ArgumentParser:
    parser = ArgumentParser("llmring-server", description="Without a command: serve.")
    parser.add_argument("--version", action="version", version=f"llmring-server {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    groups = (serve, database_group, backup, keys, manage, registry, receipts, witness, usage)
    for group in (*groups, config):
        group.add(commands)
    return parser


def _completed(argv: Sequence[str]) -> list[str]:
    """Put in the command that goes without saying: ``--reload`` is ``serve --reload``."""
    if argv and (not argv[0].startswith("-") or argv[0] in ("-h", "--help", "--version")):
        return list(argv)
    return [DEFAULT_COMMAND, *(word for word in argv if word != DEFAULT_COMMAND)]
