"""The gateway: calls that pass through to a provider, metered on the way."""
