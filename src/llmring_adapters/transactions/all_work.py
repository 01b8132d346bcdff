"""Every store there is. A backend that forgets one does not type-check."""

from typing import Protocol

from llmring_core.accounts import AccountsWork
from llmring_core.receipts import ReceiptsWork
from llmring_core.registry import RegistryWork
from llmring_core.transparency import SequencingWork
from llmring_core.usage import UsageWork


class AllWork(AccountsWork, ReceiptsWork, RegistryWork, SequencingWork, UsageWork, Protocol):
    """Add one base class per context that stores anything."""
