"""Counting tokens with the vocabularies that come with the package."""

from llmring_adapters.counting.packaged import PackagedCounter

__all__ = ["PackagedCounter"]
