"""Where requests come from, and what the audit log says of those that are refused.

What is done is written down by the use case that does it; only a refusal may come before any.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Final

from litestar import Request
from litestar.datastructures.state import State
from litestar.types import Scope

from llmring_core.errors import Unauthenticated
from llmring_core.gateway.auditing import Action, Actor, Deed, Origin, Outcome, RecordRefusal
from llmring_core.ids import ProjectId, TokenId
from llmring_http.management.access import NoManagement
from llmring_http.management.problems import (
    DELETION_REFUSED,
    ProjectsStay,
    said,
    status_in,
)
from llmring_http.origins import ACTION, origin_in

ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def origin_of(request: Request[None, None, State]) -> Origin:
    """Return where a request that was let in comes from."""
    return _origin(request.scope, "management_api")


def refusals_recorded(record: RecordRefusal) -> Callable[[Exception, Scope], Awaitable[None]]:
    """Return what writes down every refusal of a route that has an ``ACTION``."""

    async def hook(error: Exception, scope: Scope) -> None:
        handler = scope.get("route_handler")
        action = None if handler is None else handler.opt.get(ACTION)
        if action is None or isinstance(error, NoManagement):  # nobody manages such a server
            return
        actor: Actor = "anonymous" if isinstance(error, Unauthenticated) else "management_api"
        await record(_deed(action, error, scope), _origin(scope, actor))

    return hook


def _deed(action: Action, error: Exception, scope: Scope) -> Deed:
    status, words, id = status_in(error), said(error), _id_in(scope)
    kind = str(scope["path_template"]).split("/")[2]
    details: dict[str, object] = {"validation_error" if status == 400 else "error_type": words}
    if id and kind == "audit":
        details["audit_event_id"] = id
    return Deed(
        action=action,
        outcome=_outcome(error, status),
        reason=DELETION_REFUSED if isinstance(error, ProjectsStay) else words,
        project=ProjectId(id) if id and kind == "projects" else None,
        token=TokenId(id) if id and kind == "tokens" else None,
        details=details,
    )


def _origin(scope: Scope, actor: Actor) -> Origin:
    """Its path is that of the route, with the id: what else is written there may be a secret."""
    path = str(scope["path_template"]).replace("{id}", _id_in(scope) or "{id}")
    return origin_in(scope, actor, path)


def _outcome(error: Exception, status: int) -> Outcome:
    if isinstance(error, Unauthenticated):
        return "denied"
    return "error" if status >= 500 else "failure"


def _id_in(scope: Scope) -> str | None:
    """Return the id in the path, when it has the form of one."""
    id = str(scope["path_params"].get("id", ""))
    return id if ID.fullmatch(id) else None
