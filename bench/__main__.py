"""``python -m bench``: measure, print one table, and leave nothing behind."""

import os
import signal
import sys
import traceback
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from time import perf_counter

from tests.services.search import Unavailable

from bench.figures import FIGURES
from bench.postgres import Postgres, durable_postgres
from bench.run import NoPostgres, Run, Sizes
from bench.table import Row, circumstances, markdown, write

STARTED = perf_counter()
SMOKE = Sizes(
    connections=8,
    seconds=0.2,
    rows=1_000,
    few_rows=500,
    calls=30,
    streams=20,
    starts=1,
    start_on=("SQLite",),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Return 0 when everything was measured and what was acknowledged is stored."""
    args = _parser().parse_args(argv)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        with _postgres() as postgres:
            about = circumstances(postgres.version if postgres else None)
            run = Run(_sizes(args), postgres, _progress)
            rows = [row for name in args.only or FIGURES for row in _figure(name, run)]
    except KeyboardInterrupt:
        _progress("stopped")
        return 130
    text = f"{about}\n- {_described(run.sizes)}\n\n{markdown(rows)}"
    sys.stdout.write(f"{text}\n")
    if args.write:
        write(args.write, text)
    return int(any(row.wrong for row in rows))


def _figure(name: str, run: Run) -> Iterator[Row]:
    """Measure one figure; when it fails the others are still worth having."""
    try:
        yield from FIGURES[name](run)
    except NoPostgres as missing:
        yield Row(figure=name, measured=f"not measured: {missing}", wrong=_is_ci())
    except Exception as error:
        traceback.print_exc()
        said = f"{type(error).__name__}: {error}".splitlines()[0].replace("|", "\\|")
        yield Row(figure=name, measured=f"FAILED: {said}", wrong=True)


@contextmanager
def _postgres() -> Iterator[Postgres | None]:
    with ExitStack() as stack:
        try:
            postgres = stack.enter_context(durable_postgres())
        except Unavailable:
            postgres = None
        yield postgres


def _is_ci() -> bool:
    return os.environ.get("CI") == "true"


def _sizes(args: Namespace) -> Sizes:
    if args.smoke:
        return SMOKE
    return Sizes(
        connections=64,
        seconds=args.seconds,
        rows=args.rows,
        few_rows=min(100_000, args.rows),
        calls=args.calls,
        streams=500,
        starts=5,
    )


def _described(sizes: Sizes) -> str:
    return (
        f"each stretch {sizes.seconds:g} s after a warm-up of {sizes.seconds / 4:g} s; one worker; "
        "the client, the server and the database share the cores"
    )


def _progress(step: str) -> None:
    sys.stderr.write(f"bench: {perf_counter() - STARTED:6.1f} s  {step}\n")


def _parser() -> ArgumentParser:
    parser = ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=list(FIGURES), help="this figure; may be repeated"
    )
    parser.add_argument("--seconds", type=float, default=8.0, help="of a stretch (%(default)s)")
    parser.add_argument(
        "--rows", type=int, default=1_000_000, help="of the ledger for statistics (%(default)s)"
    )
    parser.add_argument(
        "--calls", type=int, default=200_000, help="logged to look at memory (%(default)s)"
    )
    parser.add_argument("--smoke", action="store_true", help="tiny sizes: does it work at all?")
    parser.add_argument(
        "--write",
        nargs="?",
        const="Latest run",
        metavar="TITLE",
        help="also put the table under this heading of docs/benchmarks.md (%(const)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
