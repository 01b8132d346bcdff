"""The management API: gateway projects, withering tokens and the audit log."""

from collections.abc import Sequence
from typing import Final

from litestar import Controller, Router, delete, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath

from llmring_core.accounts import DuplicateProject
from llmring_core.errors import InvalidField
from llmring_core.gateway import (
    ChangeProject,
    ChangeToken,
    CreateProject,
    CreateToken,
    DeleteProject,
    FindGatewayProject,
    FindToken,
    GatewayProjectNotFound,
    ListGatewayProjects,
    ListTokens,
    NoTokensForInactive,
    RevokeToken,
    RevokeTokens,
    TokenNotFound,
    Unacceptable,
)
from llmring_core.gateway.auditing import Origin
from llmring_core.ids import ProjectId, TokenId
from llmring_http.decoding import AnyRequest, decode_body, public_query_parameters
from llmring_http.management.access import READ, management_guard
from llmring_http.management.audit_routes import AuditController
from llmring_http.management.auditing import origin_of
from llmring_http.management.cache_routes import CacheController
from llmring_http.management.problems import HANDLERS, ProjectsStay, documented
from llmring_http.management.wire import (
    ChangeProjectBody,
    ChangeTokenBody,
    CreateProjectBody,
    CreateTokenBody,
    IssuedBody,
    ProjectBody,
    RevokedBody,
    TokenBody,
    TokenQuery,
)
from llmring_http.origins import ACTION
from llmring_http.problems import Unprocessable

WRITE: Final = (*READ, Unprocessable, Unacceptable, InvalidField)
UNCHECKED: Final = None  # clients of such gateways send JSON under any content type


class ProjectController(Controller):
    path = "/projects"
    tags = ["management"]

    @get("/", opt={ACTION: "project.list"}, responses=documented(*READ))
    async def all(
        self,
        origin: NamedDependency[Origin],
        list_gateway_projects: NamedDependency[ListGatewayProjects],
    ) -> Sequence[ProjectBody]:
        """List every project, by name."""
        return [ProjectBody.of(one) for one in await list_gateway_projects(origin)]

    @post(
        "/",
        status_code=201,
        opt={ACTION: "project.create"},
        responses=documented(*WRITE, DuplicateProject),
    )
    async def create(
        self,
        request: AnyRequest,
        origin: NamedDependency[Origin],
        create_project: NamedDependency[CreateProject],
    ) -> ProjectBody:
        """Open the gateway to a project, and make the project when it is new."""
        wanted = decode_body(await request.body(), UNCHECKED, CreateProjectBody)
        return ProjectBody.of(await create_project(wanted.command(), origin))

    @get(
        "/{id:str}",
        opt={ACTION: "project.read"},
        responses=documented(*READ, GatewayProjectNotFound),
    )
    async def fetch(
        self,
        id: FromPath[str],
        origin: NamedDependency[Origin],
        find_gateway_project: NamedDependency[FindGatewayProject],
    ) -> ProjectBody:
        """Return a project."""
        return ProjectBody.of(await find_gateway_project(ProjectId(id), origin))

    @patch(
        "/{id:str}",
        opt={ACTION: "project.update"},
        responses=documented(*WRITE, GatewayProjectNotFound, DuplicateProject),
    )
    async def change(
        self,
        id: FromPath[str],
        request: AnyRequest,
        origin: NamedDependency[Origin],
        change_project: NamedDependency[ChangeProject],
    ) -> ProjectBody:
        """Change a project; what is not given stays."""
        change = decode_body(await request.body(), UNCHECKED, ChangeProjectBody).command()
        return ProjectBody.of(await change_project(ProjectId(id), change, origin))

    @post(
        "/{id:str}/tokens/revoke",
        status_code=200,
        opt={ACTION: "token.revoke_batch"},
        responses=documented(*READ, GatewayProjectNotFound),
    )
    async def revoke_tokens(
        self,
        id: FromPath[str],
        origin: NamedDependency[Origin],
        revoke_tokens: NamedDependency[RevokeTokens],
    ) -> RevokedBody:
        """Revoke every token of a project."""
        return RevokedBody.of(await revoke_tokens(ProjectId(id), origin))


class TokenController(Controller):
    path = "/tokens"
    tags = ["management"]

    @get(
        "/",
        opt={ACTION: "token.list"},
        responses=documented(*WRITE),
        **public_query_parameters(TokenQuery),
    )
    async def all(
        self,
        params: NamedDependency[TokenQuery],
        origin: NamedDependency[Origin],
        list_tokens: NamedDependency[ListTokens],
    ) -> Sequence[TokenBody]:
        """List a project's tokens, or everybody's, newest first."""
        found = await list_tokens(params.of, origin, active_only=params.only_active)
        return [TokenBody.of(one) for one in found]

    @post(
        "/",
        status_code=200,
        opt={ACTION: "token.create"},
        responses=documented(*WRITE, GatewayProjectNotFound, NoTokensForInactive),
    )
    async def create(
        self,
        request: AnyRequest,
        origin: NamedDependency[Origin],
        create_token: NamedDependency[CreateToken],
    ) -> IssuedBody:
        """Make a token; it is shown in this answer and nowhere else."""
        wanted = decode_body(await request.body(), UNCHECKED, CreateTokenBody)
        return IssuedBody.of(await create_token(wanted.command(), origin))

    @get("/{id:str}", opt={ACTION: "token.read"}, responses=documented(*READ, TokenNotFound))
    async def fetch(
        self,
        id: FromPath[str],
        origin: NamedDependency[Origin],
        find_token: NamedDependency[FindToken],
    ) -> TokenBody:
        """Return a token by its id, which is not the token itself."""
        return TokenBody.of(await find_token(TokenId(id), origin))

    @patch("/{id:str}", opt={ACTION: "token.update"}, responses=documented(*WRITE, TokenNotFound))
    async def change(
        self,
        id: FromPath[str],
        request: AnyRequest,
        origin: NamedDependency[Origin],
        change_token: NamedDependency[ChangeToken],
    ) -> TokenBody:
        """Change a token's limits, or switch it on or off; its counts stay."""
        change = decode_body(await request.body(), UNCHECKED, ChangeTokenBody).command()
        return TokenBody.of(await change_token(TokenId(id), change, origin))

    @delete(
        "/{id:str}",
        status_code=204,
        opt={ACTION: "token.revoke"},
        responses=documented(*READ, TokenNotFound),
    )
    async def revoke(
        self,
        id: FromPath[str],
        origin: NamedDependency[Origin],
        revoke_token: NamedDependency[RevokeToken],
    ) -> None:
        """Revoke a token; to do it again changes nothing."""
        await revoke_token(TokenId(id), origin)


@delete(
    "/projects/{id:str}",
    status_code=204,
    tags=["management"],
    opt={ACTION: "project.delete"},
    responses=documented(*READ, GatewayProjectNotFound, ProjectsStay),
)
async def delete_project(
    id: FromPath[str],
    origin: NamedDependency[Origin],
    delete_project: NamedDependency[DeleteProject],
) -> None:
    """Close the gateway to a project, where the settings allow it; its history stays."""
    await delete_project(ProjectId(id), origin)


@delete(
    "/projects/{id:str}",
    status_code=204,
    tags=["management"],
    opt={ACTION: "project.delete"},
    responses=documented(*READ, GatewayProjectNotFound, ProjectsStay),
)
async def keep_project(id: FromPath[str]) -> None:  # noqa: ARG001  it stays, whichever it is
    """Close the gateway to a project, where the settings allow it; its history stays."""
    raise ProjectsStay


def management_routes(token: str | None, project_delete: bool) -> Router:
    """Return the routes under ``/manage``; without a token they answer nobody."""
    return Router(
        "/manage",
        guards=[management_guard(token)],
        dependencies={"origin": Provide(origin_of, sync_to_thread=False)},
        exception_handlers=HANDLERS,
        route_handlers=[
            ProjectController,
            TokenController,
            AuditController,
            CacheController,
            delete_project if project_delete else keep_project,
        ],
    )
