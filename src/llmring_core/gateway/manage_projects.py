"""What operators do with gateway projects. Writes first, reads after."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec import UNSET
from msgspec.structs import replace

from llmring_core.accounts import Project
from llmring_core.clock import Clock
from llmring_core.gateway.errors import GatewayProjectNotFound
from llmring_core.gateway.holding import relimit
from llmring_core.gateway.limits import Limits
from llmring_core.gateway.ports import GatewayWork, Sealed, Vault
from llmring_core.gateway.projects import (
    GatewayProject,
    ManagedProject,
    ProjectChange,
    ProjectToCreate,
    SealedKey,
    place_of,
    shown_key,
)
from llmring_core.ids import NewId, ProjectId
from llmring_core.transactions import Begin


@dataclass(frozen=True, slots=True)
class CreateProject:
    """Open the gateway to the project of that name, and make the project when it is new."""

    begin: Begin[GatewayWork]
    vault: Vault
    clock: Clock
    new_id: NewId

    async def __call__(self, wanted: ProjectToCreate) -> ManagedProject:
        """Raises DuplicateProject when the gateway has, or had, a project of that name."""
        now = self.clock()
        async with self.begin() as work:
            known = await work.accounts.project_named(wanted.name)
            if known is None:
                id = ProjectId(self.new_id())
                known = Project(id=id, name=wanted.name, created_at=now)
                await work.accounts.add_project(known)
            made = GatewayProject(
                id=known.id,
                name=known.name,
                is_active=True,
                deactivated_at=None,
                default_provider=wanted.default_provider,
                fallbacks=wanted.fallbacks,
                issues_receipts=wanted.issues_receipts,
                created_at=now,
                updated_at=now,
                deleted_at=None,
            )
            await work.gateway.add(made)
            await _put_keys(work, self.vault, made.id, wanted.provider_keys)
            if wanted.limits != Limits():
                await work.budgets.limit(made.id, wanted.limits)
            return await _managed(work, made)


@dataclass(frozen=True, slots=True)
class ChangeProject:
    """Change a project's settings; what runs through other processes obeys within a second."""

    begin: Begin[GatewayWork]
    vault: Vault
    clock: Clock

    async def __call__(self, id: ProjectId, change: ProjectChange) -> ManagedProject:
        """Raises GatewayProjectNotFound, DuplicateProject."""
        now = self.clock()
        async with self.begin() as work:
            before = await _found(work, id, locked=True)
            after = replace(change.over(before), updated_at=now)
            if change.name is not UNSET and change.name != before.name:
                await work.accounts.rename_project(id, change.name)
                after = replace(after, name=change.name)
            if change.is_active is not UNSET and change.is_active != before.is_active:
                closed_at = None if change.is_active else now
                after = replace(after, is_active=change.is_active, deactivated_at=closed_at)
                if change.revoke_tokens:
                    await work.tokens.revoke_all(id, now)
            await work.gateway.change(after)
            keys = dict(change.provider_keys)
            if change.key is not UNSET:
                keys[after.default_provider] = change.key
            await _put_keys(work, self.vault, id, keys)
            await relimit(work, id, change.limits)
            return await _managed(work, after)


@dataclass(frozen=True, slots=True)
class DeleteProject:
    """Close the gateway to a project for good; the project, its calls and its name stay."""

    begin: Begin[GatewayWork]
    clock: Clock

    async def __call__(self, id: ProjectId) -> None:
        """Raises GatewayProjectNotFound."""
        now = self.clock()
        async with self.begin() as work:
            before = await _found(work, id, locked=True)
            closed_at = before.deactivated_at or now
            await work.gateway.change(
                replace(before, is_active=False, deactivated_at=closed_at, deleted_at=now)
            )
            await work.tokens.revoke_all(id, now)


@dataclass(frozen=True, slots=True)
class ResealKeys:
    """Encrypt every stored provider key with the encryption key in force."""

    begin: Begin[GatewayWork]
    vault: Vault

    async def __call__(self) -> int:
        """Return how many keys there are. Raises CannotUnseal; then none is changed."""
        async with self.begin() as work:
            keys = await work.gateway.every_key(locked=True)
            for project, key in keys:
                sealed = Sealed(key_id=key.key_id, box=key.sealed)
                clear = {key.provider: self.vault.unseal(sealed, place_of(project, key.provider))}
                await _put_keys(work, self.vault, project, clear)
        return len(keys)


@dataclass(frozen=True, slots=True)
class FindGatewayProject:
    """Read one project."""

    begin: Begin[GatewayWork]

    async def __call__(self, id: ProjectId) -> ManagedProject:
        """Raises GatewayProjectNotFound."""
        async with self.begin() as work:
            return await _managed(work, await _found(work, id))


@dataclass(frozen=True, slots=True)
class ListGatewayProjects:
    """Read every project, by name."""

    begin: Begin[GatewayWork]

    async def __call__(self) -> Sequence[ManagedProject]:
        async with self.begin() as work:
            projects = await work.gateway.all()
            keys = defaultdict[ProjectId, list[SealedKey]](list)
            for owner, key in await work.gateway.every_key():
                keys[owner].append(key)
            budgets = await work.budgets.of([project.id for project in projects])
        return [
            ManagedProject(
                project=project,
                keys=tuple(keys[project.id]),
                budget=budgets.get(project.id),
            )
            for project in projects
        ]


async def _found(work: GatewayWork, id: ProjectId, *, locked: bool = False) -> GatewayProject:
    found = await work.gateway.find(id, locked=locked)
    if found is None:
        raise GatewayProjectNotFound
    return found


async def _managed(work: GatewayWork, project: GatewayProject) -> ManagedProject:
    return ManagedProject(
        project=project,
        keys=tuple(await work.gateway.keys(project.id)),
        budget=(await work.budgets.of([project.id])).get(project.id),
    )


async def _put_keys(
    work: GatewayWork, vault: Vault, project: ProjectId, keys: Mapping[str, str]
) -> None:
    for provider, key in keys.items():
        sealed = vault.seal(key, place_of(project, provider))
        kept = SealedKey(
            provider=provider, key_id=sealed.key_id, sealed=sealed.box, shown=shown_key(key)
        )
        await work.gateway.put_key(project, kept)
