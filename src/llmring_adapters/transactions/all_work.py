"""Every store there is. A backend that forgets one does not type-check."""

from typing import Protocol

from llmring_core.accounts import AccountsWork
from llmring_core.registry import RegistryWork
from llmring_core.usage import UsageWork


class AllWork(AccountsWork, RegistryWork, UsageWork, Protocol):
    """Add one base class per context that stores anything."""
