"""Dialects: how each kind of provider answers, and tells what it used."""

from llmring_core.gateway.dialects.estimates import Prompt, estimated, prompt_in
from llmring_core.gateway.dialects.frames import MAX_FRAME, Frames, JsonItems, SseFrames
from llmring_core.gateway.dialects.hiding import WithoutUsageFrame
from llmring_core.gateway.dialects.meter import UsageMeter
from llmring_core.gateway.dialects.model import Dialect, Frame, Reading, Said
from llmring_core.gateway.dialects.ports import TokenCounter
from llmring_core.gateway.dialects.requests import Asked, asked, dialect_of, frames_for
from llmring_core.gateway.dialects.splicing import with_model
from llmring_core.gateway.dialects.usage_frame import asking_for_usage, is_usage_frame

__all__ = [
    "MAX_FRAME",
    "Asked",
    "Dialect",
    "Frame",
    "Frames",
    "JsonItems",
    "Prompt",
    "Reading",
    "Said",
    "SseFrames",
    "TokenCounter",
    "UsageMeter",
    "WithoutUsageFrame",
    "asked",
    "asking_for_usage",
    "dialect_of",
    "estimated",
    "frames_for",
    "is_usage_frame",
    "prompt_in",
    "with_model",
]
