"""Which of a project's logs a receipt is wanted for. Those that have one are never meant."""

from typing import TypeAlias

from msgspec import Struct

from llmring_core.ids import UsageId
from llmring_core.usage import Period


class OfConversation(Struct, frozen=True, kw_only=True, tag=True):
    """The calls of one conversation."""

    conversation_id: str


class Within(Struct, frozen=True, kw_only=True, tag=True):
    """The calls of a period."""

    period: Period


class MeteredWithin(Struct, frozen=True, kw_only=True, tag=True):
    """The calls of a period that the gateway metered, and whose cost is known."""

    period: Period


class Named(Struct, frozen=True, kw_only=True, tag=True):
    """These calls; an id that is none of the project's is passed over."""

    log_ids: tuple[UsageId, ...]


class SinceLastReceipt(Struct, frozen=True, kw_only=True, tag=True):
    """Every call without a receipt."""


LogSelector: TypeAlias = OfConversation | Within | MeteredWithin | Named | SinceLastReceipt
EVERY_LOG = SinceLastReceipt()
