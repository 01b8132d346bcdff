"""Registry: models, their capabilities and prices, in immutable versions."""

from llmring_core.registry.catalogue import Catalogue
from llmring_core.registry.changes import Change, Changes, compared
from llmring_core.registry.commands import ChangelogQuery, RegistryQuery
from llmring_core.registry.documents import (
    PROVIDERS,
    Fetched,
    ProviderFile,
    digest_of,
    document_of,
    read_file,
    snapshot_in,
)
from llmring_core.registry.entries import DERIVED
from llmring_core.registry.errors import (
    BadRegistryFile,
    CorruptSnapshot,
    ProviderNotFound,
    RegistryUnavailable,
    SnapshotTaken,
    VersionNotFound,
)
from llmring_core.registry.filters import CAPABILITIES
from llmring_core.registry.keep_current import KeepRegistryCurrent
from llmring_core.registry.model import (
    Condition,
    Confirmation,
    Facts,
    ModelKey,
    Origin,
    Prices,
    Provider,
    Publication,
    Quote,
    RegistryStatus,
    Selection,
    Snapshot,
    SourceFile,
)
from llmring_core.registry.ports import (
    Archive,
    CheckBoard,
    CurrentRegistry,
    RegistryInForce,
    RegistrySource,
    RegistryWork,
    SnapshotBook,
)
from llmring_core.registry.read_changelog import Changelog, ReadChangelog
from llmring_core.registry.status import unconfirmed
from llmring_core.registry.use_cases import (
    LoadRegistry,
    ReadProviderEdition,
    ReadProviderFile,
    ReadRegistry,
    ReadRegistryStatus,
    ReadVersion,
    RefreshRegistry,
)
from llmring_core.registry.versions import number_of, order_of

__all__ = [
    "CAPABILITIES",
    "DERIVED",
    "PROVIDERS",
    "Archive",
    "BadRegistryFile",
    "Catalogue",
    "Change",
    "Changelog",
    "ChangelogQuery",
    "Changes",
    "CheckBoard",
    "Condition",
    "Confirmation",
    "CorruptSnapshot",
    "CurrentRegistry",
    "Facts",
    "Fetched",
    "KeepRegistryCurrent",
    "LoadRegistry",
    "ModelKey",
    "Origin",
    "Prices",
    "Provider",
    "ProviderFile",
    "ProviderNotFound",
    "Publication",
    "Quote",
    "ReadChangelog",
    "ReadProviderEdition",
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
    "compared",
    "digest_of",
    "document_of",
    "number_of",
    "order_of",
    "read_file",
    "snapshot_in",
    "unconfirmed",
]
