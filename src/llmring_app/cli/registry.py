"""``llmring-server registry``."""

from argparse import Namespace

from llmring_app.cli.parsing import Commands, add_command, add_group, add_json, container_of
from llmring_app.cli.printing import print_json, print_table
from llmring_app.database import opened
from llmring_app.errors import CannotStart
from llmring_core.registry import Facts, RegistryQuery, RegistryStatus


def add(commands: Commands) -> None:
    group = add_group(commands, "registry", "the price list in force")
    add_json(add_command(group, "refresh", "fetch the public registry now", refresh))
    add_json(add_command(group, "show", "print the models and prices in force", show))


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


def _price(facts: Facts, direction: str) -> str:
    price = facts[f"dollars_per_million_tokens_{direction}"]
    return "" if price is None else str(price)


def _sentence(status: RegistryStatus) -> str:
    known = f"{status.fresh_at:%Y-%m-%d %H:%M} UTC"
    return f"Registry {status.version}, from {status.source}, known to be current on {known}"
