"""Everything that can go wrong in the accounts context."""

from typing import ClassVar

from llmring_core.errors import Conflict, NotFound, Unauthenticated
from llmring_core.ids import ApiKeyId


class InvalidApiKey(Unauthenticated):
    """The key is unknown or revoked; we do not say which."""

    code: ClassVar[str] = "accounts.invalid-api-key"

    def __init__(self) -> None:
        super().__init__("Invalid API key")


class DuplicateProject(Conflict):
    """Another project has this name."""

    code: ClassVar[str] = "accounts.duplicate-project"

    def __init__(self, name: str) -> None:
        super().__init__(f"a project named {name!r} exists already")
        self.name = name


class DuplicateApiKey(Conflict):
    """The key is stored already."""

    code: ClassVar[str] = "accounts.duplicate-api-key"

    def __init__(self) -> None:
        super().__init__("this API key is stored already")


class ApiKeyNotFound(NotFound):
    """There is no API key with this id."""

    code: ClassVar[str] = "accounts.api-key-not-found"

    def __init__(self, id: ApiKeyId) -> None:
        super().__init__(f"there is no API key {id}; see `llmring-server keys list`")
        self.id = id


class ProjectNotFound(NotFound):
    """There is no project with this name."""

    code: ClassVar[str] = "accounts.project-not-found"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no project {name!r}; `llmring-server keys create --project NAME` makes one"
        )
        self.name = name
