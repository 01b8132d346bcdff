"""``llmring-server usage``."""

import os
import re
import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from llmring_app.cli.parsing import Commands, add_command, add_group, add_json, container_of
from llmring_app.cli.printing import print_aside, print_json, print_table
from llmring_app.cli.progress import Progress
from llmring_app.cli.usage_files import FORMATS, Numbered, format_of, lines_of
from llmring_app.container import Container
from llmring_app.database import opened
from llmring_app.errors import CannotStart
from llmring_core.ids import ProjectId
from llmring_core.money import plain, total
from llmring_core.usage import Repricing, Selection, period_of, zone_named
from llmring_http.problems import FieldError
from llmring_http.usage.bulk import BatchAnswer, LineRejected, imported
from llmring_http.usage.exports import WRITTEN

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LINES_TOGETHER = 500
SHOWN = 20  # refused lines; the others are only counted
BEGINNING = "1970-01-01"


def add(commands: Commands) -> None:
    group = add_group(commands, "usage", "import, export and reprice logged calls")
    import_parser = add_command(group, "import", "store the calls of a file, once", import_file)
    import_parser.add_argument("file", metavar="FILE", type=Path)
    import_parser.add_argument("--format", choices=FORMATS, help="as the file's name ends")
    export_parser = add_command(group, "export", "write all calls to a file", export_file)
    export_parser.add_argument("--format", choices=FORMATS, default="csv", help="csv")
    export_parser.add_argument("--output", metavar="FILE", type=Path, help="standard output")
    reprice_parser = add_command(
        group, "reprice", "correct costs to the registry in force, by adjustments", reprice
    )
    reprice_parser.add_argument("--dry-run", action="store_true", help="only say what would change")
    for parser in (import_parser, export_parser, reprice_parser):
        project = parser.add_mutually_exclusive_group(required=True)
        project.add_argument("--project", metavar="NAME")
        project.add_argument("--project-id", metavar="ID")
    for parser in (export_parser, reprice_parser):
        _add_period(parser)
    for parser in (import_parser, reprice_parser):
        add_json(parser)


class Imported(Struct, kw_only=True):
    """What became of a file's lines."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0

    def add(self, answer: BatchAnswer) -> None:
        self.accepted += answer.accepted
        self.duplicates += answer.duplicates
        self.rejected += len(answer.rejected)

    def __str__(self) -> str:
        return (
            f"{self.accepted:,} calls stored, {self.duplicates:,} known before, "
            f"{self.rejected:,} refused"
        )


class ModelChange(Struct, kw_only=True):
    """What repricing makes of one model's calls."""

    model: str
    calls: int = 0
    unpriced: int = 0  # of these calls, those that had no price
    old_usd: Decimal = Decimal(0)
    new_usd: Decimal = Decimal(0)

    @property
    def difference_usd(self) -> Decimal:
        return total([self.new_usd, -self.old_usd])

    def add(self, change: Repricing) -> None:
        self.calls += 1
        self.unpriced += change.old_usd is None
        self.old_usd = total([self.old_usd, change.old_usd or Decimal(0)])
        self.new_usd = total([self.new_usd, change.new_usd])


async def import_file(args: Namespace) -> int:
    container = container_of(args)
    counts = Imported()
    with _readable(args.file) as file:
        async with _ready(container):
            project = await _project(args, container)
            progress = Progress("Importing", args.file.stat().st_size)
            seen: Counter[str] = Counter()
            for lines in _together(lines_of(file, format_of(args.file, args.format))):
                batch, malformed = imported(lines, seen)
                outcome = await container.log_batch()(project, batch)
                answer = BatchAnswer.of(outcome.value, malformed)
                _complain(answer.rejected, SHOWN - counts.rejected)
                counts.add(answer)
                progress.show(file.tell(), str(counts))
            progress.close()
    if args.json:
        print_json(counts)
    else:
        print(counts)
    if counts.rejected:
        raise CannotStart(f"{counts.rejected:,} lines were refused; mend them and import again")
    return 0


async def export_file(args: Namespace) -> int:
    container = container_of(args)
    head, written = WRITTEN[args.format]
    async with opened(container):
        project, selection = await _project(args, container), _selection(args, container)
        progress, rows = Progress("Exporting"), 0
        with _writable(args.output) as file:
            file.write(head)
            async with aclosing(container.export_usage()(project, selection)) as pages:
                async for page in pages:
                    file.write(written(page))
                    rows += len(page)
                    progress.show(rows, f"{rows:,} calls")
        progress.close()
    if args.output is not None:
        print_aside(f"{rows:,} calls written to {args.output}")
    return 0


async def reprice(args: Namespace) -> int:
    container = container_of(args)
    models: dict[str, ModelChange] = {}
    async with _ready(container):
        project, selection = await _project(args, container), _selection(args, container)
        status = await container.read_registry_status()()
        progress, looked_at = Progress("Repricing"), 0
        repriced = container.reprice_usage()(project, selection, dry_run=args.dry_run)
        async with aclosing(repriced) as pages:
            async for page in pages:
                looked_at += page.looked_at
                for change in page.changes:
                    name = f"{change.call.provider}:{change.call.model}"
                    models.setdefault(name, ModelChange(model=name)).add(change)
                progress.show(looked_at, f"{looked_at:,} calls looked at")
        progress.close()
    changes = [models[name] for name in sorted(models)]
    if args.json:
        print_json({"registry": status.version, "dry_run": args.dry_run, "models": changes})
        return 0
    if not changes:
        print(f"Registry {status.version} changes nothing")
        return 0
    done = "would change" if args.dry_run else "changes"
    print(f"Registry {status.version} {done}:\n")
    print_table(
        ("MODEL", "CALLS", "UNPRICED", "OLD $", "NEW $", "DIFFERENCE $"),
        [_row(change) for change in _with_total(changes)],
    )
    return 0


def _add_period(parser: ArgumentParser) -> None:
    parser.add_argument("--from", dest="start", metavar="DATE", help="the first call's")
    parser.add_argument(
        "--to", dest="end", metavar="DATE", help="a date is included, an instant not"
    )
    parser.add_argument("--tz", metavar="ZONE", help="of bare dates; UTC")


@asynccontextmanager
async def _ready(container: Container) -> AsyncIterator[None]:
    """Open what storing calls needs: the database, the prices, and the way into the ledger."""
    async with opened(container):
        await container.load_registry()()
        try:
            yield
        finally:
            await container.intake().close()


async def _project(args: Namespace, container: Container) -> ProjectId:
    """Raises ProjectNotFound, CannotStart."""
    if args.project is not None:
        return (await container.find_project()(args.project)).id
    if not UUID.fullmatch(args.project_id):
        raise CannotStart("--project-id must be a UUID in lower case")
    return ProjectId(args.project_id)


def _selection(args: Namespace, container: Container) -> Selection:
    """Return the calls that are meant: all of them, unless told otherwise. Raises InvalidField."""
    now = container.clock()()
    return Selection(period=period_of(args.start or BEGINNING, args.end, zone_named(args.tz), now))


def _together(lines: Iterator[Numbered]) -> Iterator[list[Numbered]]:
    while some := list(islice(lines, LINES_TOGETHER)):
        yield some


def _complain(rejected: Sequence[LineRejected], most: int) -> None:
    for line in rejected[: max(most, 0)]:
        detail = line.detail
        said = detail if isinstance(detail, str) else "; ".join(_told(error) for error in detail)
        print_aside(f"line {line.index}: {said}")


def _told(error: FieldError) -> str:
    field = ".".join(step for step in error.loc[1:] if isinstance(step, str) and step != "logs")
    return f"{field}: {error.msg}" if field else error.msg


def _readable(path: Path) -> BinaryIO:
    """Raises CannotStart."""
    try:
        return path.open("rb")
    except OSError as error:
        raise CannotStart(f"{path} cannot be read: {error.strerror}") from None


@contextmanager
def _writable(path: Path | None) -> Iterator[BinaryIO]:
    """Lend the file, or standard output. Raises CannotStart."""
    if path is None:
        try:
            yield sys.stdout.buffer
            sys.stdout.flush()
        except BrokenPipeError:  # whoever read it has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise CannotStart("nobody reads standard output any more") from None
        return
    try:
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise CannotStart(f"{path} cannot be written: {error.strerror}") from None


def _with_total(changes: Sequence[ModelChange]) -> list[ModelChange]:
    whole = ModelChange(
        model="all",
        calls=sum(change.calls for change in changes),
        unpriced=sum(change.unpriced for change in changes),
        old_usd=total([change.old_usd for change in changes]),
        new_usd=total([change.new_usd for change in changes]),
    )
    return [*changes, whole]


def _row(change: ModelChange) -> tuple[str, ...]:
    amounts = (change.old_usd, change.new_usd, change.difference_usd)
    return (change.model, f"{change.calls:,}", f"{change.unpriced:,}", *map(plain, amounts))
