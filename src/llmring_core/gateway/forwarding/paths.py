"""Rule: the one form of an address by which it is allowed, and in which it is forwarded."""

import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from llmring_core.gateway.forwarding.errors import CredentialInQuery, EndpointNotFound

# Nothing in it could be spelt in two ways, or be read as more than a name between two slashes.
NORMAL = re.compile(
    rb"(?:/[A-Za-z0-9_~:@!$&'()*+,=-](?:[A-Za-z0-9._~:@!$&'()*+,=-]*"
    rb"[A-Za-z0-9_~:@!$&'()*+,=-])?)+"
)
PATTERN = re.compile(r"(?:/[A-Za-z0-9._~:@=*-]+)+")  # what a configuration may allow
VERSION = re.compile(r"/v\d")
CREDENTIALS = frozenset({"key", "api_key", "api-key", "apikey", "access_token", "token"})


def normal_path(raw: bytes) -> str:
    """Return the one form of a path as it was sent, without its query.

    Raises: EndpointNotFound when it has none: dot segments, empty ones, encoded separators,
    anything encoded twice.
    """
    path = unquote_to_bytes(raw) if b"%" in raw else raw
    if path.count(b"/") != raw.count(b"/"):  # one was encoded: part of a name, or not
        raise EndpointNotFound
    if not NORMAL.fullmatch(path):
        raise EndpointNotFound
    return path.decode("ascii")


def check_query(query: bytes) -> None:
    """Raises CredentialInQuery: it would go along to the provider beside the project's own."""
    if not query:
        return
    for member in query.replace(b";", b"&").split(b"&"):
        name = unquote_to_bytes(member.partition(b"=")[0].replace(b"+", b" "))
        text = name.decode("latin-1").strip().lower()
        if text in CREDENTIALS:
            raise CredentialInQuery(text)


@lru_cache(maxsize=1024)
def endpoint_pattern(allowed: str) -> re.Pattern[str]:
    """Return what matches the paths that ``allowed`` stands for: ``*`` is any part of a segment."""
    return re.compile("[^/]+".join(re.escape(part) for part in allowed.split("*")))


@lru_cache(maxsize=1024)
def glob_pattern(glob: str) -> re.Pattern[str]:
    """Return what matches a shell glob: ``*`` and ``?`` stop at a slash; ``[a-z]``, ``[!a]``.

    Source: Go's path.Match, which wrote the files that are read here.
    """
    parts, rest = [], glob
    while rest:
        character, rest = rest[0], rest[1:]
        found = re.match(r"([!^]?)(\]?[^\]\\]*)\]", rest) if character == "[" else None
        if found is not None and found[2]:
            parts.append(f"[{'^' if found[1] else ''}{_set(found[2])}]")
            rest = rest[found.end() :]
        elif character == "*":
            parts.append("[^/]*")
        elif character == "?":
            parts.append("[^/]")
        else:
            parts.append(re.escape(character))
    return re.compile("".join(parts), re.DOTALL)


def _set(members: str) -> str:
    return re.sub(r"([\[\]^&~|])", r"\\\1", members)
