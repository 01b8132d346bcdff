"""``llmring-server serve``."""

from argparse import ArgumentTypeError, Namespace

from llmring_app.cli.parsing import Commands, add_command, settings_of
from llmring_app.server import greeting, prepare, run, stop_quietly


def add(commands: Commands) -> None:
    parser = add_command(commands, "serve", "run the HTTP server", serve)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", default=8000, type=_port, help="0: any that is free (%(default)s)"
    )
    several = parser.add_mutually_exclusive_group()
    several.add_argument("--reload", action="store_true", help="restart when the code changes")
    several.add_argument("--workers", default=1, type=_count, help="processes (%(default)s)")


def serve(args: Namespace) -> int:
    stop_quietly()
    settings = settings_of(args)
    listener = prepare(settings, args.host, args.port, args.workers)
    print(greeting(settings, listener), flush=True)
    return run(listener, settings, args.reload, args.workers)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 2**16):
        raise ArgumentTypeError("must be a number from 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ArgumentTypeError("must be a number from 1 on")
    return int(text)
