"""Every store there is. A backend that forgets one does not type-check."""

from typing import Protocol

from llmring_core.gateway.journal import AttemptWork
from llmring_core.receipts import CertifyingWork
from llmring_core.registry import RegistryWork
from llmring_core.transparency import SequencingWork


class AllWork(AttemptWork, CertifyingWork, RegistryWork, SequencingWork, Protocol):
    """Add one base class per context that stores anything."""
