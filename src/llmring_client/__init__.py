"""The Python SDK of LLMRing Server."""

from llmring_client.client import LLMRingClient
from llmring_client.model import Call, Group, Logged, Period, Stats, Summary

__all__ = ["Call", "Group", "LLMRingClient", "Logged", "Period", "Stats", "Summary"]
