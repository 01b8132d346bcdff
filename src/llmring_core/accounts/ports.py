"""What the accounts context needs from the outside."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from llmring_core.accounts.model import ApiKey, Project
from llmring_core.ids import ApiKeyId, ProjectId

# Find a key by its digest, at most a second out of date; None when nobody has it.
FindApiKey = Callable[[str], Awaitable[ApiKey | None]]


class AccountBook(Protocol):
    """Projects and their API keys. Keys are revoked, never deleted."""

    async def add_project(self, project: Project) -> None:
        """Keep ``project``. Raises DuplicateProject when its name is taken."""

    async def project_named(self, name: str) -> Project | None:
        """Return the project with exactly this name."""

    async def rename_project(self, id: ProjectId, name: str) -> None:
        """Call the project ``name``. Raises DuplicateProject when that is taken."""

    async def add_key(self, key: ApiKey) -> None:
        """Keep ``key``, whose project is kept. Raises DuplicateApiKey when its digest is."""

    async def key_with(self, digest: str) -> ApiKey | None:
        """Return the key with this SHA-256, revoked or not."""

    async def keys(self) -> list[tuple[Project, ApiKey]]:
        """Return every key with its project, oldest first."""

    async def revoke(self, id: ApiKeyId, at: datetime) -> ApiKey:
        """Mark the key as revoked at ``at`` (UTC) unless it is, and return it.

        Raises ApiKeyNotFound.
        """


class AccountsWork(Protocol):
    """The stores one accounts transaction may touch."""

    @property
    def accounts(self) -> AccountBook: ...
