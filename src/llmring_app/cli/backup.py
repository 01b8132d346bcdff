"""``llmring-server backup``, ``restore`` and ``verify``."""

from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.ext.asyncio import AsyncEngine

from llmring_adapters.archive.manifest import Manifest
from llmring_adapters.archive.reading import open_archive, restore
from llmring_adapters.archive.writing import write_archive
from llmring_adapters.database import open_engine
from llmring_adapters.migrations import migrate, schema_status
from llmring_app.cli.checking import found_nothing
from llmring_app.cli.parsing import Commands, add_command, add_json, container_of
from llmring_app.cli.printing import print_json
from llmring_app.cli.progress import Progress
from llmring_app.database import as_it_is, opened
from llmring_app.errors import CannotStart
from llmring_core import __version__


def add(commands: Commands) -> None:
    backing_up = add_command(commands, "backup", "write the whole database to one file", backup)
    restoring = add_command(commands, "restore", "fill an empty database from a file", restore_file)
    verifying = add_command(commands, "verify", "check a backup, without a database", verify)
    for parser in (backing_up, restoring, verifying):
        parser.add_argument("file", metavar="FILE", type=Path)
        add_json(parser)


async def backup(args: Namespace) -> int:
    container = container_of(args)
    progress = Progress("Backing up")
    async with as_it_is(container) as status:
        manifest = await write_archive(
            container.engine(),
            args.file,
            server=__version__,
            revision=status.applied[-1],
            now=container.clock()(),
            progress=lambda rows: progress.show(rows, f"{rows:,} rows"),
        )
    progress.close()
    _say(args, manifest, "written to")
    return 0


async def restore_file(args: Namespace) -> int:
    container = container_of(args)
    _check_there(args.file)
    async with opened(container):
        manifest = await _restored(container.engine(), args.file)
        await found_nothing(container.engine())
    _say(args, manifest, "restored from")
    return 0


async def verify(args: Namespace) -> int:
    """Restore the file into a database of its own, which is thrown away, and check that."""
    _check_there(args.file)
    with TemporaryDirectory(prefix="llmring-verify-") as folder:
        engine = open_engine(f"sqlite:///{folder}/verify.db", "llmring")
        try:
            await migrate(engine, "llmring")
            manifest = await _restored(engine, args.file)
            await found_nothing(engine)
        finally:
            await engine.dispose()
    _say(args, manifest, "verified in")
    return 0


async def _restored(engine: AsyncEngine, path: Path) -> Manifest:
    """Raises BadArchive; then nothing was restored."""
    status = await schema_status(engine)
    with open_archive(path, status.applied[-1]) as archive:
        progress = Progress("Reading", archive.manifest.rows)
        await restore(engine, archive, lambda rows: progress.show(rows, f"{rows:,} rows"))
        progress.close()
        return archive.manifest


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise CannotStart(f"there is no file {path}")


def _say(args: Namespace, manifest: Manifest, done: str) -> None:
    if args.json:
        print_json(manifest)
    else:
        tables = len(manifest.tables)
        print(f"{manifest.rows:,} rows of {tables} tables {done} {args.file}")
