"""Rule: how an event is written down, for other programs and into a file."""

import re
from base64 import b64encode
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable
from typing import Final

from msgspec import json

from llmring_core.gateway.caching import Pair
from llmring_core.gateway.events.model import CallEvent
from llmring_core.money import plain
from llmring_core.usage import Tokens

Fields = dict[str, object]

LOG_ID: Final = 0  # a number that events have for historic reasons; nobody counts it up
# What may be somebody's credential. Counts of tokens are none, so `-tokens` stays.
SECRET_NAMES: Final = re.compile(
    r"cookie|authori[sz]ation|authenticat|api-?key|secret|credential|token$", re.IGNORECASE
)
_decoder = getincrementaldecoder("utf-8")


def wire_form(event: CallEvent) -> bytes:
    """Return the JSON object that is sent to other programs; bodies are in base64.

    Headers that may hold a credential are left out, and what is not known has no member.
    """
    form: Fields = {
        "LogID": LOG_ID,
        "RequestID": event.request_id,
        "Method": event.method,
        "Path": event.path,
        "Status": event.status,
        "Duration": event.duration_ns,
        "ResponseHeaders": _headers(event.response_headers, _capitalised),
        "ResponseBody": event.response_body,
        "RequestBody": event.request_body,
    }
    about: Fields = {
        "ProjectID": event.project,
        "TokenID": event.token_id,
        "TokenMetadata": event.token_metadata,
    }
    return json.encode(form | _known(about))


def file_form(event: CallEvent) -> bytes:
    """Return the JSON object that is a line of a file; bodies are text, else base64.

    Headers that may hold a credential are left out, and what is not known has no member.
    """
    form: Fields = {
        "time": event.at,
        "log_id": LOG_ID,
        "request_id": event.request_id,
        "method": event.method,
        "path": event.path,
        "status": event.status,
        "duration": event.duration_ns,
        "response_headers": _headers(event.response_headers, _underscored),
    }
    about: Fields = {
        "token_usage": None if event.tokens is None else _token_usage(event.tokens),
        "usage_source": event.usage_source,
        "cost_usd": None if event.cost_usd is None else plain(event.cost_usd),
        "project_id": event.project,
        "token_id": event.token_id,
        "token_metadata": event.token_metadata,
        "provider": event.provider,
        "model": event.model,
        "outcome": event.outcome,
        "cache": event.cache,
    }
    bodies = _body("request_body", event.request_body, event.is_request_truncated)
    bodies |= _body("response_body", event.response_body, event.is_response_truncated)
    return json.encode(form | bodies | _known(about))


def _known(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}


def _headers(pairs: Iterable[Pair], spelt: Callable[[str], str]) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for raw_name, value in pairs:
        name = raw_name.decode("latin-1")
        if not SECRET_NAMES.search(name):
            headers.setdefault(spelt(name), []).append(value.decode("latin-1"))
    return headers


def _capitalised(name: str) -> str:
    return "-".join(map(str.capitalize, name.split("-")))


def _underscored(name: str) -> str:
    return name.lower().replace("-", "_")


def _token_usage(tokens: Tokens) -> dict[str, int]:
    prompt, completion = tokens.input_total, tokens.output_total
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _body(name: str, body: bytes, is_truncated: bool) -> Fields:
    """Return a body's members. The cut of a truncated one may have gone through a character."""
    fields: Fields = {f"{name}_truncated": True} if is_truncated else {}
    try:
        return fields | {name: _decoder().decode(body, final=not is_truncated)}
    except UnicodeDecodeError:
        return fields | {name: b64encode(body).decode(), f"{name}_binary": True}
