"""The gateway: calls to LLM providers on a project's account, let through, limited and metered."""
