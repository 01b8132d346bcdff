"""Identifier types (plain strings the type checker keeps apart) and the port that makes them."""

from collections.abc import Callable
from typing import NewType

ProjectId = NewType("ProjectId", str)  # UUID, canonical 36 characters
ApiKeyId = NewType("ApiKeyId", str)  # UUID
UsageId = NewType("UsageId", str)  # UUID, version 7
TokenId = NewType("TokenId", str)  # UUID; never the secret
HoldId = NewType("HoldId", str)  # UUID
AuditEventId = NewType("AuditEventId", str)  # UUID, version 7

NewId = Callable[[], str]  # a fresh UUIDv7, canonical 36 characters
NewSecret = Callable[[], bytes]  # 32 unpredictable bytes
