"""What ``/v1/*`` answers by itself, in the form the SDKs of providers read."""

from collections.abc import Sequence

from litestar.exceptions import HTTPException
from litestar.types import Send
from msgspec import Struct, json

from llmring_core.errors import LLMRingError, StoreUnavailable
from llmring_core.gateway import TooManyRequests
from llmring_core.gateway.forwarding import CircuitOpen, MethodNotAllowed, ParamNotAllowed
from llmring_http.problems import HEADERS, status_of

MARK = b"x-llmring-error"  # on every error of ours, and on none of a provider's
PROXY = (b"x-proxy", b"llm-proxy")  # on every answer
MESSAGES = "/v1/messages"  # whose callers expect Anthropic's form
TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}
ANTHROPIC_TYPES = TYPES | {404: "not_found_error", 413: "request_too_large"}
HTTP_CODES = {413: "request_too_large", 415: "unsupported_media_type", 426: "upgrade_refused"}
INTERNAL = "internal_error"


class OpenAIError(Struct, kw_only=True):
    message: str
    type: str
    param: str | None
    code: str


class OpenAIBody(Struct, kw_only=True):
    error: OpenAIError


class AnthropicError(Struct, kw_only=True):
    type: str
    message: str
    code: str


class AnthropicBody(Struct, kw_only=True):
    type: str
    error: AnthropicError
    request_id: str


class UpgradeRefused(HTTPException):
    """The gateway speaks HTTP only."""

    status_code = 426
    detail = "this gateway tunnels no other protocol"


encoder = json.Encoder()


async def refuse(
    send: Send,
    error: Exception,
    path: str,
    request_id: str,
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> None:
    """Answer with ``error``, as who calls ``path`` expects it; ``headers`` come along."""
    status, code, message = _facts(error)
    body = _body(error, status, code, message, path, request_id)
    head = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (MARK, code.encode()),
        PROXY,
        *_more(error, status),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def error_event(error: Exception, path: str, request_id: str) -> bytes:
    """Return ``error`` as the last event of a stream, as who calls ``path`` expects it."""
    status, code, message = _facts(error)
    kind = b"event: error\n" if _is_messages(path) else b""
    return b"%sdata: %s\n\n" % (kind, _body(error, status, code, message, path, request_id))


def _facts(error: Exception) -> tuple[int, str, str]:
    """Return status, code and message. Bugs say nothing of our insides."""
    if isinstance(error, LLMRingError):
        # A store's own words are for the log; tables and hosts are nobody else's business.
        message = StoreUnavailable.__doc__ if isinstance(error, StoreUnavailable) else str(error)
        ours = error.code.rpartition(".")[2].replace("-", "_")
        code = getattr(error, "wire_code", ours)  # what published clients of gateways know
        return status_of(type(error)), code, message or code
    if isinstance(error, HTTPException):
        code = HTTP_CODES.get(error.status_code, "invalid_request")
        return error.status_code, code, error.detail or (type(error).__doc__ or code)
    return 500, INTERNAL, "Internal Server Error"


def _body(
    error: Exception, status: int, code: str, message: str, path: str, request_id: str
) -> bytes:
    usual = "invalid_request_error" if status < 500 else "api_error"
    if _is_messages(path):
        kind = ANTHROPIC_TYPES.get(status, usual)
        about = AnthropicError(type=kind, message=message, code=code)
        return encoder.encode(AnthropicBody(type="error", error=about, request_id=request_id))
    param = error.param if isinstance(error, ParamNotAllowed) else None
    kind = TYPES.get(status, usual)
    return encoder.encode(
        OpenAIBody(error=OpenAIError(message=message, type=kind, param=param, code=code))
    )


def _is_messages(path: str) -> bool:
    return path == MESSAGES or path.startswith(f"{MESSAGES}/")


def _more(error: Exception, status: int) -> list[tuple[bytes, bytes]]:
    if isinstance(error, CircuitOpen | TooManyRequests):
        return [(b"retry-after", b"%d" % error.retry_after_s)]
    if isinstance(error, MethodNotAllowed):
        return [(b"allow", ", ".join(error.methods).encode())]
    headers = HEADERS.get(status, {})
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
