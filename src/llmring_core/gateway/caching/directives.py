"""Rule: how headers about caching are read. What is malformed counts as the cautious reading."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from llmring_core.gateway.caching.model import Pair

MAX_SECONDS = 2**31  # more is as good as this. Source: RFC 9111 section 1.2.2
DIRECTIVE = re.compile(
    rb'([!#$%&\'*+.^_`|~0-9A-Za-z-]+)(?:[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^,]*))?'
)
MONTHS = {
    month: number
    for number, month in enumerate(
        (b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec").split(), start=1
    )
}
DATE = re.compile(rb"[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT")

Directives = Mapping[bytes, bytes | None]  # by lower-case name


def values(headers: Iterable[Pair], name: bytes) -> list[bytes]:
    """Return the value of each header of that name."""
    return [value.strip(b" \t") for found, value in headers if found == name]


def listed(headers: Iterable[Pair], name: bytes) -> list[bytes]:
    """Return the members of the header's list, in lower case."""
    members = (part.strip(b" \t") for part in b",".join(values(headers, name)).split(b","))
    return [member.lower() for member in members if member]


def directives(headers: Iterable[Pair]) -> Directives:
    """Return what Cache-Control says; of a directive that comes twice, the smaller value.

    Source: RFC 9111 section 5.2.
    """
    found: dict[bytes, bytes | None] = {}
    for name, value in DIRECTIVE.findall(b",".join(values(headers, b"cache-control"))):
        directive, argument = name.lower(), value.strip(b' \t"') or None
        if directive in found and seconds(found[directive]) < seconds(argument):
            continue
        found[directive] = argument
    return found


def seconds(value: bytes | None) -> int:
    """Return a number of seconds; 0 when it is none."""
    if value is None or not re.fullmatch(rb"[0-9]+", value):
        return 0
    return MAX_SECONDS if len(value) > 10 else min(int(value), MAX_SECONDS)


def date(value: bytes) -> datetime | None:
    """Return an instant, in UTC; None when it is not in the one form that is sent today.

    Source: RFC 9110 section 5.6.7.
    """
    found = DATE.fullmatch(value)
    if found is None or found[2] not in MONTHS:
        return None
    day, year, hour, minute, second = (int(found[group]) for group in (1, 3, 4, 5, 6))
    try:
        return datetime(year, MONTHS[found[2]], day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None
