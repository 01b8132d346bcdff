"""LLMRing's rules: registry, usage ledger, accounts. No I/O, no clock, no configuration."""

__version__ = "0.2.0"
