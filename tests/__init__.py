"""Unit, contract and integration tests; real servers from tests/services."""
