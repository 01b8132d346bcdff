"""Rule: which headers travel. All others stay as they were sent, in their order."""

from collections.abc import Iterable, Mapping, Sequence

from llmring_core.gateway.forwarding.providers import Credential

Pair = tuple[bytes, bytes]  # a name in lower case, and its value

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer "
    b"transfer-encoding upgrade http2-settings".split()
)  # RFC 9110 section 7.6.1
OURS = frozenset(
    b"authorization x-api-key api-key x-goog-api-key x-project-key x-user-id x-project-id "
    b"cookie cookie2 openai-organization openai-project".split()
)  # whoever pays is named by the project's account, and by nothing else
REMADE = frozenset(b"host content-length expect accept-encoding x-request-id x-body-hash".split())
ABOUT_CALLERS = frozenset(
    b"forwarded via origin referer x-real-ip true-client-ip x-client-ip x-cluster-client-ip "
    b"x-original-forwarded-for x-http-method-override x-method-override".split()
)
NOT_SENT = HOP_BY_HOP | OURS | REMADE | ABOUT_CALLERS
NOT_SENT_PREFIXES = (
    b"x-forwarded-",
    b"cf-",
    b"x-llmring-",
    b"x-proxy",
    b"sec-",
    b"access-control-",
)

# A provider's word on our own host, on cookies, or on who answered is not passed on.
NOT_RETURNED = HOP_BY_HOP | frozenset(
    b"set-cookie set-cookie2 strict-transport-security alt-svc location date x-request-id "
    b"public-key-pins clear-site-data".split()
)
NOT_RETURNED_PREFIXES = (b"access-control-", b"x-llmring-", b"x-proxy", b"x-upstream-request-")
UPSTREAM_ID = b"x-upstream-request-id"

CREDENTIALS: dict[Credential, tuple[bytes, bytes]] = {
    "bearer": (b"authorization", b"Bearer "),
    "x-api-key": (b"x-api-key", b""),
    "x-goog-api-key": (b"x-goog-api-key", b""),
}


def to_upstream(
    sent: Iterable[Pair], credential: Credential, secret: str, request_id: str
) -> list[Pair]:
    """Return the headers a provider gets: the caller's, less what is not for it, and our own.

    The answer is asked for unencoded, because what it says about usage is read on the way.
    """
    sent = list(sent)
    named = _named_by_connection(sent)
    headers = [
        pair
        for pair in sent
        if pair[0] not in NOT_SENT
        and not pair[0].startswith(NOT_SENT_PREFIXES)
        and pair[0] not in named
    ]
    name, scheme = CREDENTIALS[credential]
    headers += [
        (name, scheme + secret.encode("ascii")),
        (b"accept-encoding", b"identity"),
        (b"x-request-id", request_id.encode("ascii")),
    ]
    return headers


def without_credential(headers: Iterable[Pair], credential: Credential) -> list[Pair]:
    """Return what ``to_upstream`` made, less the header that tells who pays."""
    name, _ = CREDENTIALS[credential]
    return [pair for pair in headers if pair[0] != name]


def to_client(received: Sequence[Pair], status: int) -> list[Pair]:
    """Return the headers of a provider's answer that the caller gets."""
    named = _named_by_connection(received)
    without = {b"content-length"} if status in (204, 304) else frozenset()
    headers = []
    for name, value in received:
        if name == b"x-request-id":
            headers.append((UPSTREAM_ID, value))
        elif (
            name in NOT_RETURNED
            or name.startswith(NOT_RETURNED_PREFIXES)
            or name in named
            or name in without
        ):
            continue
        else:
            headers.append((name, value))
    return headers


def presented_secret(headers: Mapping[bytes, bytes], credential: Credential) -> str | None:
    """Return the token a call carries: as a bearer, or where the provider's SDK puts its key."""
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() == "bearer" and token.strip(" \t"):
        return token.strip(" \t")
    if credential == "bearer":
        return None
    return headers.get(credential.encode(), b"").decode("latin-1").strip(" \t") or None


def _named_by_connection(headers: Iterable[Pair]) -> set[bytes]:
    """Return the names that ``Connection`` declares to be for the next hop only."""
    values = [value for name, value in headers if name == b"connection"]
    return {name.strip(b" \t").lower() for value in values for name in value.split(b",")}
