"""What the accounts context does. Writes first, reads after."""

from dataclasses import dataclass

from llmring_core.accounts.api_keys import digest_of, kept, key_of
from llmring_core.accounts.errors import (
    DuplicateApiKey,
    DuplicateProject,
    InvalidApiKey,
    ProjectNotFound,
)
from llmring_core.accounts.model import ApiKey, Caller, IssuedKey, Project
from llmring_core.accounts.ports import AccountsWork, FindApiKey
from llmring_core.clock import Clock
from llmring_core.ids import ApiKeyId, NewId, NewSecret, ProjectId
from llmring_core.text import check_name
from llmring_core.transactions import Begin

MAX_PROJECT_NAME = 255  # characters


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Turn an API key into the caller it stands for.

    With ``welcome_strangers`` a key nobody has seen opens a new, empty project of its own:
    that is how historic clients work, which make up their keys by themselves.
    """

    begin: Begin[AccountsWork]
    find_key: FindApiKey
    clock: Clock
    new_id: NewId
    welcome_strangers: bool

    async def __call__(self, secret: str) -> Caller:
        """Raises InvalidApiKey."""
        key = await self.find_key(digest_of(secret))
        if key is None and self.welcome_strangers:
            key = await self._welcomed(secret)
        if key is None or key.revoked_at is not None:
            raise InvalidApiKey
        return Caller(project=key.project)

    async def _welcomed(self, secret: str) -> ApiKey | None:
        now, id = self.clock(), ProjectId(self.new_id())
        key = kept(secret, ApiKeyId(self.new_id()), id, now)
        try:
            async with self.begin() as work:
                await work.accounts.add_project(Project(id=id, name=f"open-{id}", created_at=now))
                await work.accounts.add_key(key)
        except DuplicateApiKey:  # another request with the same new key was first
            async with self.begin() as work:  # find_key may still be answering from before that
                return await work.accounts.key_with(key.digest)
        return key


@dataclass(frozen=True, slots=True)
class CreateApiKey:
    """Make a key for the project of that name, and the project when it is new."""

    begin: Begin[AccountsWork]
    clock: Clock
    new_id: NewId
    new_secret: NewSecret

    async def __call__(self, project_name: str) -> IssuedKey:
        """Raises InvalidField."""
        check_name("project", project_name, MAX_PROJECT_NAME)
        now, secret = self.clock(), key_of(self.new_secret())
        try:
            async with self.begin() as work:
                project = await work.accounts.project_named(project_name)
                if project is None:
                    id = ProjectId(self.new_id())
                    project = Project(id=id, name=project_name, created_at=now)
                    await work.accounts.add_project(project)
                key = kept(secret, ApiKeyId(self.new_id()), project.id, now)
                await work.accounts.add_key(key)
        except DuplicateProject:  # another process made it a moment ago; now it is there
            return await self(project_name)
        return IssuedKey(key=key, secret=secret)


@dataclass(frozen=True, slots=True)
class RotateApiKey:
    """Revoke a key and make its successor, for the same project and so the same history."""

    begin: Begin[AccountsWork]
    clock: Clock
    new_id: NewId
    new_secret: NewSecret

    async def __call__(self, id: ApiKeyId) -> IssuedKey:
        """Raises ApiKeyNotFound."""
        now, secret = self.clock(), key_of(self.new_secret())
        async with self.begin() as work:
            old = await work.accounts.revoke(id, now)
            key = kept(secret, ApiKeyId(self.new_id()), old.project, now)
            await work.accounts.add_key(key)
        return IssuedKey(key=key, secret=secret)


@dataclass(frozen=True, slots=True)
class RevokeApiKey:
    """Close a key for good."""

    begin: Begin[AccountsWork]
    clock: Clock

    async def __call__(self, id: ApiKeyId) -> ApiKey:
        """Raises ApiKeyNotFound."""
        async with self.begin() as work:
            return await work.accounts.revoke(id, self.clock())


@dataclass(frozen=True, slots=True)
class ListApiKeys:
    """Read every key with its project, oldest first."""

    begin: Begin[AccountsWork]

    async def __call__(self) -> list[tuple[Project, ApiKey]]:
        async with self.begin() as work:
            return await work.accounts.keys()


@dataclass(frozen=True, slots=True)
class FindProject:
    """Read the project of that name."""

    begin: Begin[AccountsWork]

    async def __call__(self, name: str) -> Project:
        """Raises ProjectNotFound."""
        async with self.begin() as work:
            project = await work.accounts.project_named(name)
        if project is None:
            raise ProjectNotFound(name)
        return project
