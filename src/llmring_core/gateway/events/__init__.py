"""What happened to calls, told to whoever listens, beside the calls."""

from llmring_core.gateway.events.excerpts import Excerpt, ExcerptLimits
from llmring_core.gateway.events.forms import file_form, wire_form
from llmring_core.gateway.events.model import CallEvent
from llmring_core.gateway.events.ports import EventBus

__all__ = ["CallEvent", "EventBus", "Excerpt", "ExcerptLimits", "file_form", "wire_form"]
