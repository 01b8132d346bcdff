"""``llmring-server registry``."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Final

from msgspec import UNSET

from llmring_app.cli.parsing import Commands, add_command, add_group, add_json, container_of
from llmring_app.cli.printing import ENCODER, print_json, print_table
from llmring_app.database import opened
from llmring_app.errors import CannotStart
from llmring_core.registry import ChangelogQuery, Facts, RegistryQuery, RegistryStatus

CELL: Final = 40  # characters


def add(commands: Commands) -> None:
    group = add_group(commands, "registry", "the price list in force")
    add_json(add_command(group, "refresh", "fetch the public registry now", refresh))
    add_json(add_command(group, "show", "print the models and prices in force", show))
    differing = add_command(group, "diff", "print what a version changed", diff)
    differing.add_argument("old", nargs="?", metavar="FROM", help="default: the one before TO")
    differing.add_argument("new", nargs="?", metavar="TO", help="default: the one in force")
    differing.add_argument("--provider", help="only this provider's models")
    add_json(differing)


async def refresh(args: Namespace) -> int:
    container = container_of(args)
    async with opened(container), container.registry_client():
        await container.load_registry()()
        status = await container.refresh_registry()()
    if status.stale:
        raise CannotStart(f"registry {status.version} stays in force: {status.error}")
    if args.json:
        print_json(status)
    else:
        print(_sentence(status))
    return 0


async def show(args: Namespace) -> int:
    container = container_of(args)
    async with opened(container):
        status = await container.load_registry()()
        found = await container.read_registry()(RegistryQuery())
    if args.json:
        print_json({"status": status, "models": found.models})
        return 0
    print(f"{_sentence(status)}\n")
    rows = [
        (key, _price(facts, "input"), _price(facts, "output"))
        for key, facts in found.models.items()
    ]
    print_table(("MODEL", "INPUT $/M", "OUTPUT $/M"), rows)
    return 0


async def diff(args: Namespace) -> int:
    container = container_of(args)
    async with opened(container):
        status = await container.load_registry()()
        query = ChangelogQuery(
            old=args.old,
            new=args.new or status.version,
            providers=frozenset([args.provider] if args.provider else []),
        )
        (found,) = (await container.read_changelog()(query)).versions
    if args.json:
        print_json(found)
        return 0
    print(f"From {found.previous or 'nothing'} to {found.version}: changes: {len(found.changes)}\n")
    rows = [
        (change.type, change.model, change.field or "", _short(change.old), _short(change.new))
        for change in found.changes
    ]
    print_table(("CHANGE", "MODEL", "MEMBER", "OLD", "NEW"), rows)
    return 0


def _short(value: object) -> str:
    """Return a value in a table's cell: JSON, cut; nothing for a whole model."""
    if value is UNSET or isinstance(value, Mapping):
        return ""
    text = ENCODER.encode(value).decode()
    return text if len(text) <= CELL else f"{text[: CELL - 1]}…"


def _price(facts: Facts, direction: str) -> str:
    price = facts[f"dollars_per_million_tokens_{direction}"]
    return "" if price is None else str(price)


def _sentence(status: RegistryStatus) -> str:
    known = f"{status.fresh_at:%Y-%m-%d %H:%M} UTC"
    return f"Registry {status.version}, from {status.source}, known to be current on {known}"
