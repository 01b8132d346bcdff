"""``llmring-server db``."""

from argparse import Namespace

from llmring_app.cli.checking import found_nothing
from llmring_app.cli.parsing import (
    Commands,
    add_command,
    add_group,
    add_json,
    container_of,
    settings_of,
)
from llmring_app.cli.printing import print_json, print_table
from llmring_app.container import Container
from llmring_app.database import (
    as_it_is,
    drop_test_database,
    make_database,
    opened,
    read_schema_status,
)
from llmring_app.errors import CannotStart
from llmring_app.settings import Settings, without_password


def add(commands: Commands) -> None:
    group = add_group(commands, "db", "create, migrate and inspect the database")
    add_command(group, "create", "make the database if it is missing, and its tables", create)
    add_command(group, "migrate", "bring the tables to this version", migrate)
    add_command(group, "upgrade", "another name for migrate", migrate)
    add_json(add_command(group, "status", "say which migrations are applied", status))
    add_json(add_command(group, "check", "recompute what is derived, and compare", check))
    drop = add_command(group, "drop-test", "delete a database whose name ends in _test", drop_test)
    drop.set_defaults(env="test")
    drop.add_argument("--yes", action="store_true", help="do it")


async def create(args: Namespace) -> int:
    settings = settings_of(args)
    if await make_database(settings):
        print(f"Created {without_password(settings.database_url)}")
    return await _migrate(settings)


async def migrate(args: Namespace) -> int:
    return await _migrate(settings_of(args))


async def status(args: Namespace) -> int:
    settings = settings_of(args)
    found = await read_schema_status(settings)
    url = without_password(settings.database_url)
    if args.json:
        print_json({"database": url, "applied": found.applied, "pending": found.pending})
        return 0
    print(f"{url}\n")
    rows = [(name, "applied") for name in found.applied]
    print_table(("MIGRATION", "STATE"), [*rows, *((name, "pending") for name in found.pending)])
    return 0


async def check(args: Namespace) -> int:
    container = container_of(args)
    async with as_it_is(container):
        await found_nothing(container.engine(), args.json)
    if not args.json:
        print(f"{without_password(container.settings().database_url)}: nothing is wrong")
    return 0


async def drop_test(args: Namespace) -> int:
    settings = settings_of(args)
    url = without_password(settings.database_url)
    if not args.yes:
        raise CannotStart(f"this deletes {url} and all that is in it; to do so, add --yes")
    await drop_test_database(settings)
    print(f"Dropped {url}")
    return 0


async def _migrate(settings: Settings) -> int:
    async with opened(Container(settings=settings)) as before:
        done = ", ".join(before.pending) or "nothing, it is up to date"
    print(f"Migrated {without_password(settings.database_url)}: {done}")
    return 0
