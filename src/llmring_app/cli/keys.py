"""``llmring-server keys``."""

from argparse import Namespace

from llmring_app.cli.parsing import (
    Commands,
    add_command,
    add_group,
    add_json,
    container_of,
)
from llmring_app.cli.printing import print_aside, print_json, print_table
from llmring_app.database import opened
from llmring_app.encryption_keys import add_encryption_key
from llmring_core.accounts import ApiKey, IssuedKey, Project
from llmring_core.gateway.auditing import Origin


def add(commands: Commands) -> None:
    group = add_group(commands, "keys", "make, list and revoke API keys")
    create_parser = add_command(group, "create", "make a key, and its project when new", create)
    create_parser.add_argument("--project", required=True, metavar="NAME")
    list_parser = add_command(group, "list", "list all keys; they are shown shortened", list_keys)
    revoke_parser = add_command(group, "revoke", "close a key for good", revoke)
    rotate_parser = add_command(group, "rotate", "replace a key; its project stays", rotate)
    add_json(
        add_command(
            group,
            "rotate-encryption",
            "encrypt stored provider keys with a new key; servers go on",
            rotate_encryption,
        )
    )
    for parser in (revoke_parser, rotate_parser):
        parser.add_argument("id", metavar="ID", help="as `llmring-server keys list` shows it")
    for parser in (create_parser, list_parser, rotate_parser):
        add_json(parser)


async def create(args: Namespace) -> int:
    container = container_of(args)
    async with opened(container):
        issued = await container.create_api_key()(args.project)
    _print_once(issued, args.json)
    return 0


async def rotate(args: Namespace) -> int:
    container = container_of(args)
    async with opened(container):
        issued = await container.rotate_api_key()(args.id)
    _print_once(issued, args.json)
    return 0


async def revoke(args: Namespace) -> int:
    container = container_of(args)
    async with opened(container):
        key = await container.revoke_api_key()(args.id)
    print(f"Revoked {key.id} {key.shown}; running servers refuse it within a second")
    return 0


async def rotate_encryption(args: Namespace) -> int:
    container = container_of(args)
    async with opened(container):
        add_encryption_key(container.settings(), container.new_secret())
        count = await container.reseal_keys()(Origin(actor="admin"))
    if args.json:
        print_json({"provider_keys": count})
    else:
        print(f"{count} provider keys are encrypted with the key in force")
    return 0


async def list_keys(args: Namespace) -> int:
    container = container_of(args)
    async with opened(container):
        keys = await container.list_api_keys()()
    if args.json:
        print_json([_facts(project, key) for project, key in keys])
    else:
        rows = [[value or "" for value in _facts(project, key).values()] for project, key in keys]
        print_table(("ID", "PROJECT", "KEY", "CREATED", "REVOKED"), rows)
    return 0


def _print_once(issued: IssuedKey, as_json: bool) -> None:
    """Print the key alone on standard output, so that a script can catch it."""
    if as_json:
        facts = {"id": issued.key.id, "project_id": issued.key.project, "key": issued.secret}
        print_json(facts)
        return
    print(issued.secret, flush=True)
    print_aside(f"This is key {issued.key.id}. Keep it safe: it will not be shown again.")


def _facts(project: Project, key: ApiKey) -> dict[str, str | None]:
    return {
        "id": key.id,
        "project": project.name,
        "key": key.shown,
        "created_at": key.created_at.isoformat(timespec="seconds"),
        "revoked_at": key.revoked_at.isoformat(timespec="seconds") if key.revoked_at else None,
    }
