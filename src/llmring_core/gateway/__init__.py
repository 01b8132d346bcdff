"""The gateway: calls to providers, let through as they are, and metered."""
