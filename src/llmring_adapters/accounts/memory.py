"""Projects and API keys in dictionaries."""

from datetime import datetime

from msgspec.structs import replace

from llmring_adapters.journal import JournaledDict
from llmring_core.accounts import (
    AccountBook,
    ApiKey,
    ApiKeyNotFound,
    DuplicateApiKey,
    DuplicateProject,
    Project,
)
from llmring_core.ids import ApiKeyId, ProjectId


class MemoryAccountBook(AccountBook):
    def __init__(
        self,
        projects: JournaledDict[ProjectId, Project],
        keys: JournaledDict[str, ApiKey],  # by digest
    ) -> None:
        self._projects = projects
        self._keys = keys

    async def add_project(self, project: Project) -> None:
        if await self.project_named(project.name):
            raise DuplicateProject(project.name)
        self._projects[project.id] = project

    async def project_named(self, name: str) -> Project | None:
        return next((p for p in self._projects.values() if p.name == name), None)

    async def rename_project(self, id: ProjectId, name: str) -> None:
        holder = await self.project_named(name)
        if holder is not None and holder.id != id:
            raise DuplicateProject(name)
        self._projects[id] = replace(self._projects[id], name=name)

    async def add_key(self, key: ApiKey) -> None:
        if key.digest in self._keys:
            raise DuplicateApiKey
        self._keys[key.digest] = key

    async def key_with(self, digest: str) -> ApiKey | None:
        return self._keys.get(digest)

    async def keys(self) -> list[tuple[Project, ApiKey]]:
        oldest_first = sorted(self._keys.values(), key=lambda key: (key.created_at, key.id))
        return [(self._projects[key.project], key) for key in oldest_first]

    async def revoke(self, id: ApiKeyId, at: datetime) -> ApiKey:
        key = next((key for key in self._keys.values() if key.id == id), None)
        if key is None:
            raise ApiKeyNotFound(id)
        if key.revoked_at is None:
            key = replace(key, revoked_at=at)
            self._keys[key.digest] = key
        return key
