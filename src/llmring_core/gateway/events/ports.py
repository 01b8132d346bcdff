"""What events need from the outside."""

from typing import Protocol

from llmring_core.gateway.events.model import CallEvent


class EventBus(Protocol):
    """Carries what happened to whoever listens; never keeps a call waiting."""

    @property
    def is_heard(self) -> bool:
        """Tell whether anybody listens; while nobody does, nothing need be collected."""

    def publish(self, event: CallEvent) -> None:
        """Hand it over at once. What finds no room is counted, not kept."""
