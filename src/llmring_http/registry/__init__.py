"""The registry endpoints."""
