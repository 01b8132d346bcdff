"""What operators do with gateway projects. Writes first, reads after."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec import UNSET
from msgspec.structs import asdict, replace

from llmring_core.accounts import Project
from llmring_core.clock import Clock
from llmring_core.gateway.auditing import Deed, Origin, Record, RecordAlone
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
    record: Record
    clock: Clock
    new_id: NewId

    async def __call__(self, wanted: ProjectToCreate, origin: Origin) -> ManagedProject:
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
            details = {"project_name": made.name}
            deed = Deed(action="project.create", project=made.id, details=details)
            await self.record(work, deed, origin)
            return await _managed(work, made)


@dataclass(frozen=True, slots=True)
class ChangeProject:
    """Change a project's settings; what runs through other processes obeys within a second."""

    begin: Begin[GatewayWork]
    vault: Vault
    record: Record
    clock: Clock

    async def __call__(
        self, id: ProjectId, change: ProjectChange, origin: Origin
    ) -> ManagedProject:
        """Raises GatewayProjectNotFound, DuplicateProject."""
        now, revoked = self.clock(), 0
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
                    revoked = await work.tokens.revoke_all(id, now)
            await work.gateway.change(after)
            keys = dict(change.provider_keys)
            if change.key is not UNSET:
                keys[after.default_provider] = change.key
            await _put_keys(work, self.vault, id, keys)
            await relimit(work, id, change.limits)
            details = _account(change, after) | {"tokens_revoked": revoked}
            await self.record(
                work, Deed(action="project.update", project=id, details=details), origin
            )
            return await _managed(work, after)


@dataclass(frozen=True, slots=True)
class DeleteProject:
    """Close the gateway to a project for good; the project, its calls and its name stay."""

    begin: Begin[GatewayWork]
    record: Record
    clock: Clock

    async def __call__(self, id: ProjectId, origin: Origin) -> None:
        """Raises GatewayProjectNotFound."""
        now = self.clock()
        async with self.begin() as work:
            before = await _found(work, id, locked=True)
            closed_at = before.deactivated_at or now
            await work.gateway.change(
                replace(before, is_active=False, deactivated_at=closed_at, deleted_at=now)
            )
            revoked = await work.tokens.revoke_all(id, now)
            details = {"project_name": before.name, "tokens_revoked": revoked}
            deed = Deed(action="project.delete", project=id, details=details)
            await self.record(work, deed, origin)


@dataclass(frozen=True, slots=True)
class ResealKeys:
    """Encrypt every stored provider key with the encryption key in force."""

    begin: Begin[GatewayWork]
    vault: Vault
    record: Record

    async def __call__(self, origin: Origin) -> int:
        """Return how many keys there are. Raises CannotUnseal; then none is changed."""
        async with self.begin() as work:
            keys = await work.gateway.every_key(locked=True)
            for project, key in keys:
                sealed = Sealed(key_id=key.key_id, box=key.sealed)
                clear = {key.provider: self.vault.unseal(sealed, place_of(project, key.provider))}
                await _put_keys(work, self.vault, project, clear)
            deed = Deed(action="encryption_key.rotate", details={"provider_keys": len(keys)})
            await self.record(work, deed, origin)
        return len(keys)


@dataclass(frozen=True, slots=True)
class FindGatewayProject:
    """Read one project."""

    begin: Begin[GatewayWork]
    record: RecordAlone

    async def __call__(self, id: ProjectId, origin: Origin) -> ManagedProject:
        """Raises GatewayProjectNotFound."""
        async with self.begin() as work:
            found = await _managed(work, await _found(work, id))
        await self.record(Deed(action="project.read", project=id), origin)
        return found


@dataclass(frozen=True, slots=True)
class ListGatewayProjects:
    """Read every project, by name."""

    begin: Begin[GatewayWork]
    record: RecordAlone

    async def __call__(self, origin: Origin) -> Sequence[ManagedProject]:
        async with self.begin() as work:
            projects = await work.gateway.all()
            keys = defaultdict[ProjectId, list[SealedKey]](list)
            for owner, key in await work.gateway.every_key():
                keys[owner].append(key)
            budgets = await work.budgets.of([project.id for project in projects])
        details = {"project_count": len(projects)}
        await self.record(Deed(action="project.list", details=details), origin)
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


def _account(change: ProjectChange, after: GatewayProject) -> dict[str, object]:
    """Return what the audit log says of a change: which settings, and of a key nothing more."""
    plain = asdict(change) | asdict(change.limits)
    for several in ("limits", "provider_keys", "revoke_tokens"):
        del plain[several]
    fields = ["api_key" if name == "key" else name for name in plain if plain[name] is not UNSET]
    fields += [f"provider_keys.{provider}" for provider in sorted(change.provider_keys)]
    return {"updated_fields": fields, "project_name": after.name}


async def _put_keys(
    work: GatewayWork, vault: Vault, project: ProjectId, keys: Mapping[str, str]
) -> None:
    for provider, key in keys.items():
        sealed = vault.seal(key, place_of(project, provider))
        kept = SealedKey(
            provider=provider, key_id=sealed.key_id, sealed=sealed.box, shown=shown_key(key)
        )
        await work.gateway.put_key(project, kept)
