"""Accounts: projects, and the API keys that open them."""

from llmring_core.accounts.api_keys import MAX_LENGTH as MAX_KEY_LENGTH
from llmring_core.accounts.api_keys import digest_of, key_of
from llmring_core.accounts.errors import (
    ApiKeyNotFound,
    DuplicateApiKey,
    DuplicateProject,
    InvalidApiKey,
    ProjectNotFound,
)
from llmring_core.accounts.model import ApiKey, Caller, IssuedKey, Project
from llmring_core.accounts.ports import AccountBook, AccountsWork, FindApiKey
from llmring_core.accounts.use_cases import (
    MAX_PROJECT_NAME,
    Authenticate,
    CreateApiKey,
    FindProject,
    ListApiKeys,
    RevokeApiKey,
    RotateApiKey,
)

__all__ = [
    "MAX_KEY_LENGTH",
    "MAX_PROJECT_NAME",
    "AccountBook",
    "AccountsWork",
    "ApiKey",
    "ApiKeyNotFound",
    "Authenticate",
    "Caller",
    "CreateApiKey",
    "DuplicateApiKey",
    "DuplicateProject",
    "FindApiKey",
    "FindProject",
    "InvalidApiKey",
    "IssuedKey",
    "ListApiKeys",
    "Project",
    "ProjectNotFound",
    "RevokeApiKey",
    "RotateApiKey",
    "digest_of",
    "key_of",
]
