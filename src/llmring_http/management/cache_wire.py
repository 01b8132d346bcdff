"""The JSON of the cache's part of the management API. A project is our addition."""

from typing import Self

from msgspec import Struct, field

from llmring_core.errors import InvalidField
from llmring_core.gateway.caching import PurgeWanted
from llmring_core.ids import ProjectId


class PurgeBody(Struct, frozen=True, kw_only=True):
    """What is to go. Unknown members are ignored, as other gateways do."""

    method: str = ""
    url: str = ""  # with or without scheme and host
    prefix: str | None = None  # of paths, or of a key; "" is none
    project_id: str | None = None  # without one, every project's
    project: str | None = field(name="projectId", default=None)

    def wanted(self) -> PurgeWanted:
        """Raises InvalidField when the two spellings of the project differ."""
        named = {one for one in (self.project_id, self.project) if one is not None}
        if len(named) > 1:
            raise InvalidField("project_id", "must not differ from projectId")
        return PurgeWanted(
            project=ProjectId(named.pop()) if named else None,
            method=self.method,
            url=self.url,
            prefix=self.prefix or "",
        )


class PurgedBody(Struct, frozen=True, kw_only=True):
    """How many answers a prefix stood for, or whether there were any of a URL."""

    deleted: bool | int

    @classmethod
    def of(cls, wanted: PurgeWanted, count: int) -> Self:
        return cls(deleted=count if wanted.prefix else count > 0)
