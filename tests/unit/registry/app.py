"""The registry endpoints over a few snapshots."""

from typing import Any

from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import HTTPException

from llmring_adapters.registry.archive import KeptArchive
from llmring_adapters.registry.live import LiveRegistry
from llmring_core.errors import LLMRingError
from llmring_core.registry import (
    ReadChangelog,
    ReadProviderEdition,
    ReadProviderFile,
    ReadRegistry,
    ReadRegistryStatus,
    ReadVersion,
    Snapshot,
)
from llmring_http.problems import domain_problem, http_problem
from llmring_http.registry.routes import RegistryController
from tests.unit.registry.builders import NOON, keeping


def registry_app(*snapshots: Snapshot) -> Litestar:
    """The endpoints over ``snapshots``, the last of which is in force."""
    registry = LiveRegistry(snapshots[-1])
    begin = keeping({kept.version: kept for kept in snapshots})
    archive = KeptArchive(begin, registry)
    return Litestar(
        [RegistryController],
        dependencies={
            "now": given(NOON),
            "read_changelog": given(ReadChangelog(begin, registry, archive)),
            "read_registry": given(ReadRegistry(registry, archive)),
            "read_registry_status": given(ReadRegistryStatus(registry)),
            "read_version": given(ReadVersion(archive)),
            "read_provider_edition": given(ReadProviderEdition(begin, archive)),
            "read_provider_file": given(ReadProviderFile(registry)),
        },
        exception_handlers={LLMRingError: domain_problem, HTTPException: http_problem},
        logging_config=None,
    )


def given(value: object) -> Provide:
    def provide() -> Any:
        return value

    return Provide(provide, sync_to_thread=False)
