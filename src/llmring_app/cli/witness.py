"""``llmring-server witness``."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import NamedTuple

from llmring_app.cli.parsing import Commands, add_command, add_group, settings_of
from llmring_app.server import listening, stop_quietly
from llmring_app.witness_keys import log_keys_in, witness_key
from llmring_app.witness_server import witness_greeting, witness_of, witnessing

KEY_FILE = "llmring-witness.key"
STATE_FILE = "llmring-witness.db"


class _Address(NamedTuple):
    host: str
    port: int


def add(commands: Commands) -> None:
    group = add_group(commands, "witness", "watch logs of others, and cosign what continues them")
    run = add_command(group, "run", "run the witness", run_witness)
    run.add_argument(
        "--log",
        metavar="KEY",
        action="append",
        required=True,
        help="of a log to watch, as its /log/public-key shows it; may be repeated",
    )
    run.add_argument(
        "--listen", metavar="HOST:PORT", default="127.0.0.1:8099", type=_address, help="%(default)s"
    )
    run.add_argument(
        "--state", metavar="FILE", type=Path, default=STATE_FILE, help="what it saw (%(default)s)"
    )
    _add_key(run)
    _add_key(add_command(group, "key", "print the key that verifies its cosignatures", show_key))


def run_witness(args: Namespace) -> int:
    stop_quietly()
    settings = settings_of(args)
    logs = log_keys_in(args.log)
    cosign = witness_of(logs, args.state, witness_key(args.key_file, args.name))
    listener = listening(args.listen.host, args.listen.port, options="--listen")
    print(witness_greeting(listener, cosign), flush=True)
    return witnessing(listener, settings, cosign)


def show_key(args: Namespace) -> int:
    print(witness_key(args.key_file, args.name).key.text)
    return 0


def _add_key(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--key-file",
        metavar="FILE",
        type=Path,
        default=KEY_FILE,
        help="made when it is missing (%(default)s)",
    )
    parser.add_argument("--name", help="of the witness; without it, made of its key")


def _address(text: str) -> _Address:
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and int(port) < 2**16):
        raise ArgumentTypeError("must be an address and a port, such as 127.0.0.1:8099")
    return _Address(host.removeprefix("[").removesuffix("]"), int(port))
