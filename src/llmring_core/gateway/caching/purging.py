"""Rule: which stored answers a purge means."""

import re
from urllib.parse import urlsplit

from msgspec import Struct

from llmring_core.gateway.caching.errors import BadPurgePrefix, BadPurgeUrl, NothingNamed
from llmring_core.gateway.caching.keys import address_of
from llmring_core.gateway.caching.model import CacheKey
from llmring_core.ids import ProjectId

MAX_URL = 8192  # characters
METHOD = re.compile(r"[A-Za-z]{1,16}")
PRINTABLE = re.compile(r"[!-~]*")
KEY_PREFIX = re.compile(r"[0-9a-f]{1,64}")


class PurgeWanted(Struct, frozen=True, kw_only=True):
    """A purge as a manager words it."""

    project: ProjectId | None  # None: every project's
    method: str
    url: str  # with or without scheme and host, which do not matter
    prefix: str  # of paths, or of a key as callers are told it; empty: only the URL is meant


class Purge(Struct, frozen=True, kw_only=True):
    """What is to go: everything that agrees with each part that is not None."""

    project: ProjectId | None = None
    address: str | None = None
    path_prefix: str | None = None
    key_prefix: str | None = None


def purge_of(wanted: PurgeWanted) -> Purge:
    """Return what a purge means: a prefix if there is one, else one address in all variants.

    Raises: NothingNamed, BadPurgeUrl, BadPurgePrefix.
    """
    if not METHOD.fullmatch(wanted.method) or not wanted.url:
        raise NothingNamed
    address = _address_of(wanted)
    if not wanted.prefix:
        return Purge(project=wanted.project, address=address)
    if wanted.prefix.startswith("/") and PRINTABLE.fullmatch(wanted.prefix):
        return Purge(project=wanted.project, path_prefix=wanted.prefix)
    if KEY_PREFIX.fullmatch(wanted.prefix):
        return Purge(project=wanted.project, key_prefix=wanted.prefix)
    raise BadPurgePrefix


def covers(purge: Purge, key: CacheKey) -> bool:
    """Tell whether the answer under ``key`` is to go."""
    return (
        purge.project in (None, key.project)
        and purge.address in (None, key.address)
        and key.path.startswith(purge.path_prefix or "")
        and key.digest.startswith(purge.key_prefix or "")
    )


def _address_of(wanted: PurgeWanted) -> str:
    if len(wanted.url) > MAX_URL or not PRINTABLE.fullmatch(wanted.url):
        raise BadPurgeUrl
    try:
        parts = urlsplit(wanted.url)
    except ValueError as error:  # such as a bracket that is not closed
        raise BadPurgeUrl from error
    is_absolute = parts.scheme in ("http", "https") and bool(parts.netloc)
    if not parts.path.startswith("/") or not (is_absolute or not parts.scheme + parts.netloc):
        raise BadPurgeUrl
    return address_of(wanted.method.upper(), parts.path, parts.query.encode())
