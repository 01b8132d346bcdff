"""Registry: models, their capabilities and prices, in immutable versions."""

from llmring_core.registry.catalogue import Catalogue
from llmring_core.registry.commands import RegistryQuery
from llmring_core.registry.documents import (
    PROVIDERS,
    ProviderFile,
    digest_of,
    document_of,
    read_file,
)
from llmring_core.registry.entries import DERIVED
from llmring_core.registry.errors import (
    BadRegistryFile,
    ProviderNotFound,
    RegistryUnavailable,
    SnapshotTaken,
    VersionNotFound,
)
from llmring_core.registry.filters import CAPABILITIES
from llmring_core.registry.model import (
    Facts,
    ModelKey,
    Origin,
    Prices,
    Provider,
    Quote,
    RegistryStatus,
    Selection,
    Snapshot,
    SourceFile,
    unconfirmed,
)
from llmring_core.registry.ports import (
    CurrentRegistry,
    RegistryInForce,
    RegistrySource,
    RegistryWork,
    SnapshotBook,
)
from llmring_core.registry.use_cases import (
    LoadRegistry,
    ReadProviderFile,
    ReadRegistry,
    ReadRegistryStatus,
    ReadVersion,
    RefreshRegistry,
)

__all__ = [
    "CAPABILITIES",
    "DERIVED",
    "PROVIDERS",
    "BadRegistryFile",
    "Catalogue",
    "CurrentRegistry",
    "Facts",
    "LoadRegistry",
    "ModelKey",
    "Origin",
    "Prices",
    "Provider",
    "ProviderFile",
    "ProviderNotFound",
    "Quote",
    "ReadProviderFile",
    "ReadRegistry",
    "ReadRegistryStatus",
    "ReadVersion",
    "RefreshRegistry",
    "RegistryInForce",
    "RegistryQuery",
    "RegistrySource",
    "RegistryStatus",
    "RegistryUnavailable",
    "RegistryWork",
    "Selection",
    "Snapshot",
    "SnapshotBook",
    "SnapshotTaken",
    "SourceFile",
    "VersionNotFound",
    "digest_of",
    "document_of",
    "read_file",
    "unconfirmed",
]
