"""What every command takes, and the settings it runs with."""

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from llmring_app.container import Container
from llmring_app.settings import Settings

Command: TypeAlias = Callable[[Namespace], int] | Callable[[Namespace], Coroutine[Any, Any, int]]
Commands: TypeAlias = Any  # what add_subparsers returns; argparse keeps its type private


def add_command(commands: Commands, name: str, help: str, run: Command) -> ArgumentParser:
    """Add a command that ``run`` carries out, and return its parser for options of its own."""
    parser: ArgumentParser = commands.add_parser(name, help=help, description=help)
    parser.add_argument(
        "--env",
        choices=("dev", "test", "prod"),
        help="instead of LLMRING_ENV: test uses another default database, prod has none",
    )
    parser.set_defaults(run=run)
    return parser


def add_group(commands: Commands, name: str, help: str) -> Commands:
    """Add a command that has commands of its own."""
    group: ArgumentParser = commands.add_parser(name, help=help, description=help)
    return group.add_subparsers(required=True, metavar="COMMAND")


def add_json(parser: ArgumentParser) -> None:
    """Let the command print JSON."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def settings_of(args: Namespace) -> Settings:
    """Read the settings; ``--env`` goes before LLMRING_ENV. Raises BadSetting."""
    asked = {} if args.env is None else {"LLMRING_ENV": args.env}
    return Settings.read(os.environ | asked)


def container_of(args: Namespace) -> Container:
    """Assemble the program; nothing is opened yet. Raises BadSetting."""
    return Container(settings=settings_of(args))
