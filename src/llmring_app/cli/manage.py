"""``llmring-server manage``: the gateway's management API, from the command line."""

import os
import re
from argparse import ArgumentParser, ArgumentTypeError, BooleanOptionalAction, Namespace
from datetime import datetime
from typing import Any, Final

from llmring_app.cli.management_client import ManagementClient
from llmring_app.cli.parsing import Commands, add_command, add_group, add_json, settings_of
from llmring_app.cli.printing import print_aside, print_json, print_table
from llmring_app.errors import CannotStart

BASE_URL: Final = "http://localhost:8000"
BASE_URL_NAME: Final = "MANAGEMENT_API_BASE_URL"
DAY: Final = 24 * 60  # minutes
UNITS: Final = {"": 1, "m": 1, "h": 60, "d": DAY}
PROJECT: Final = {  # by member, its title
    "id": "ID",
    "name": "Name",
    "api_key": "API Key",
    "is_active": "Active",
    "created_at": "Created",
    "updated_at": "Updated",
    "fallbacks": "Fallbacks",
    "issues_receipts": "Receipts",
}
SETTABLE: Final = ("name", "api_key", "fallbacks", "issues_receipts")
TOKEN: Final = ("id", "token", "project_id", "is_active", "request_count", "expires_at")
EVENT: Final = ("id", "timestamp", "action", "outcome", "actor", "client_ip", "reason")
EVENT_FILTERS: Final = (
    "action",
    "actor",
    "outcome",
    "project_id",
    "request_id",
    "client_ip",
    "search",
    "start_time",
    "end_time",
    "page",
    "page_size",
)
SHOWN_ID: Final = "as `list` shows it"


def add(commands: Commands) -> None:
    group = add_group(commands, "manage", "gateway projects, tokens and audit log, by HTTP")
    projects = add_group(group, "project", "gateway projects")
    _command(projects, "list", "list every project", list_projects)
    _with_id(_command(projects, "get", "print one project", get_project))
    create = _command(projects, "create", "open the gateway to a project", create_project)
    update = _with_id(_command(projects, "update", "change a project", update_project))
    for parser in (create, update):
        _add_project(parser, needed=parser is create)
    _with_id(_command(projects, "delete", "close the gateway to a project", delete_project))
    tokens = add_group(group, "token", "withering tokens")
    generate = _command(tokens, "generate", "make a token; it is shown once", generate_token)
    generate.add_argument("--project-id", required=True, metavar="ID")
    generate.add_argument(
        "--duration", type=minutes_of, default=DAY, help="minutes, or 30m, 24h, 7d; default 1440"
    )
    generate.add_argument("--max-requests", type=int, metavar="N", help="default: no limit")
    listing = _command(tokens, "list", "list tokens, newest first", list_tokens)
    listing.add_argument("--project-id", metavar="ID", help="only this project's")
    listing.add_argument("--active-only", action="store_true")
    _with_id(_command(tokens, "get", "print one token", get_token))
    _with_id(_command(tokens, "revoke", "revoke a token", revoke_token))
    audit = add_group(group, "audit", "who did what, who was refused, who looked")
    listing = _command(audit, "list", "list a page of events, newest first", list_events)
    for name in EVENT_FILTERS:
        listing.add_argument(f"--{name.replace('_', '-')}", metavar=name.rpartition("_")[2].upper())
    _with_id(_command(audit, "get", "print one event", get_event))


def list_projects(args: Namespace) -> int:
    return _print_rows(args, tuple(PROJECT), _client(args).call("GET", "projects"))


def get_project(args: Namespace) -> int:
    return _print_project(args, _client(args).call("GET", "projects", args.id))


def create_project(args: Namespace) -> int:
    return _print_project(args, _client(args).call("POST", "projects", body=_given(args)))


def update_project(args: Namespace) -> int:
    body = _given(args)
    if not body:
        raise CannotStart("nothing to change: give --name, --openai-key or another option")
    return _print_project(args, _client(args).call("PATCH", "projects", args.id, body=body))


def delete_project(args: Namespace) -> int:
    _client(args).call("DELETE", "projects", args.id)
    return _print_done(args, f"Deleted {args.id}")


def generate_token(args: Namespace) -> int:
    body = {"project_id": args.project_id, "duration_minutes": args.duration}
    if args.max_requests is not None:
        body["max_requests"] = args.max_requests
    made = _client(args).call("POST", "tokens", body=body)
    if args.json:
        print_json(made)
        return 0
    print(f"Token: {made['token']}")
    print(f"Obfuscated: {made['token'][:4]}****{made['token'][-4:]}")
    print(f"ID: {made['id']}")
    print(f"Expires at: {made['expires_at']}")
    return 0


def list_tokens(args: Namespace) -> int:
    query = {"projectId": args.project_id, "activeOnly": "true" if args.active_only else None}
    return _print_rows(args, TOKEN, _client(args).call("GET", "tokens", query=query))


def get_token(args: Namespace) -> int:
    found = _client(args).call("GET", "tokens", args.id)
    if args.json:
        print_json(found)
        return 0
    for name in (*TOKEN, "max_requests", "created_at", "last_used_at"):
        print(f"{name}: {_cell(found.get(name))}")
    return 0


def revoke_token(args: Namespace) -> int:
    _client(args).call("DELETE", "tokens", args.id)
    return _print_done(args, f"Revoked {args.id}")


def list_events(args: Namespace) -> int:
    query = {name: getattr(args, name) for name in EVENT_FILTERS}
    found = _client(args).call("GET", "audit", query=query)
    if args.json:
        print_json(found)
        return 0
    _print_rows(args, EVENT, found["events"] or ())
    number = found["pagination"]
    print_aside(
        f"Page {number['page']} of {number['total_pages']}; {number['total_count']} events in all"
    )
    return 0


def get_event(args: Namespace) -> int:
    found = _client(args).call("GET", "audit", args.id)
    if args.json:
        print_json(found)
        return 0
    for name, value in found.items():
        print(f"{name}: {value}")
    return 0


def minutes_of(text: str) -> int:
    """Read how long a token lives, in minutes. Raises ArgumentTypeError."""
    found = re.fullmatch(r"(\d{1,9})([mhd]?)", text, re.ASCII)
    if found is None:
        raise ArgumentTypeError("must be minutes, or a number with m, h or d, such as 24h")
    return int(found[1]) * UNITS[found[2]]


def _command(commands: Commands, name: str, help: str, run: Any) -> ArgumentParser:
    parser = add_command(commands, name, help, run)
    parser.add_argument(
        "--manage-api-base-url",
        metavar="URL",
        help=f"the server; default: {BASE_URL_NAME}, else {BASE_URL}",
    )
    parser.add_argument(
        "--management-token",
        metavar="TOKEN",
        help="default: LLMRING_MANAGEMENT_TOKEN or MANAGEMENT_TOKEN; others see what is typed here",
    )
    add_json(parser)
    return parser


def _add_project(parser: ArgumentParser, *, needed: bool) -> None:
    parser.add_argument("--name", required=needed)
    parser.add_argument(
        "--openai-key", "--api-key", dest="api_key", required=needed, help="the provider's key"
    )
    order = parser.add_mutually_exclusive_group()
    order.add_argument(
        "--fallback",
        dest="fallbacks",
        action="append",
        metavar="NAME",
        help="a provider to ask; give it again for the next, or for the same one again",
    )
    order.add_argument(
        "--no-fallback", dest="fallbacks", action="store_const", const=[], help="ask only one"
    )
    parser.add_argument(
        "--receipts",
        dest="issues_receipts",
        action=BooleanOptionalAction,
        help="whether each metered call is to get a receipt",
    )


def _given(args: Namespace) -> dict[str, object]:
    """Return the members of a project that were given."""
    members = {name: getattr(args, name) for name in SETTABLE}
    return {name: value for name, value in members.items() if value is not None}


def _with_id(parser: ArgumentParser) -> ArgumentParser:
    parser.add_argument("id", metavar="ID", help=SHOWN_ID)
    return parser


def _client(args: Namespace) -> ManagementClient:
    """Raises BadSetting, CannotStart."""
    token = args.management_token or settings_of(args).management_token
    if not token:
        raise CannotStart("set LLMRING_MANAGEMENT_TOKEN to what the server was given")
    base_url = args.manage_api_base_url or os.environ.get(BASE_URL_NAME) or BASE_URL
    return ManagementClient(base_url, token)


def _print_project(args: Namespace, project: Any) -> int:
    if args.json:
        print_json(project)
        return 0
    for name, title in PROJECT.items():
        print(f"{title}: {_cell(project[name])}")
    return 0


def _print_rows(args: Namespace, names: tuple[str, ...], rows: Any) -> int:
    if args.json:
        print_json(rows)
        return 0
    header = [name.replace("_at", "").replace("_", " ").upper() for name in names]
    print_table(header, [[_cell(row.get(name)) for name in names] for row in rows])
    return 0


def _print_done(args: Namespace, said: str) -> int:
    if args.json:
        print_json({"id": args.id})
    else:
        print(said)
    return 0


def _cell(value: object) -> str:
    """Write a value for people: an instant to the minute, a flag as yes or no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M}"
    return "" if value is None else str(value)
