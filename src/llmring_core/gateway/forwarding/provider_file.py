"""Rule: what a provider configuration says, from the form in which it is written."""

import re
from collections.abc import Mapping
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from msgspec import Struct, ValidationError, convert
from msgspec.structs import replace

from llmring_core.errors import InvalidField
from llmring_core.gateway.forwarding.paths import PATTERN
from llmring_core.gateway.forwarding.providers import Credential, Provider, Providers, Timeouts

DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+")
UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"})
OWN_CREDENTIALS: dict[str, Credential] = {  # of providers who take no bearer
    "api.anthropic.com": "x-api-key",
    "anthropic": "x-api-key",
    "generativelanguage.googleapis.com": "x-goog-api-key",
    "gemini": "x-goog-api-key",
}
DEFAULT = "openai"

Form = TypeVar("Form", bound=Struct)


class TimeoutsForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Durations as Go writes them: 30s, 1m30s, 10ms."""

    request: str | None = None
    response_header: str | None = None
    idle_connection: str | None = None
    flush_interval: str | None = None  # every piece leaves at once; read for older files


class ConnectionForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sizes of a pool; ours keeps what is used and drops the rest, so that they change nothing."""

    max_idle_conns: int | None = None
    max_idle_conns_per_host: int | None = None


class ProviderForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider as written."""

    base_url: str
    allowed_endpoints: tuple[str, ...]
    allowed_methods: tuple[str, ...]
    timeouts: TimeoutsForm = TimeoutsForm()
    connection: ConnectionForm = ConnectionForm()
    param_whitelist: dict[str, tuple[str, ...]] = {}
    allowed_origins: tuple[str, ...] = ()
    required_headers: tuple[str, ...] = ()
    auth: Literal["bearer", "x-api-key", "x-goog-api-key"] | None = None
    models: tuple[str, ...] = ()
    ask_for_usage: bool | None = None


class FileForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    apis: dict[str, object]
    default_api: str | None = None


def providers_in(
    document: object, usual: Timeouts, default: str | None = None, *, asks_for_usage: bool = True
) -> Providers:
    """Return the providers a file names; ``default`` is its ``default_api`` unless that is None.

    ``usual`` and ``asks_for_usage`` are for those of whom the file does not say.

    Raises: InvalidField, naming the place in the file and its rule.
    """
    file = _form(document, FileForm, "")
    if not file.apis:
        raise InvalidField("apis", "must name at least one provider")
    by_name = {
        name: _provider(name, form, usual, asks_for_usage) for name, form in file.apis.items()
    }
    names = [name for name in (default, file.default_api, DEFAULT) if name is not None]
    found = [by_name[name] for name in names if name in by_name]
    if found:
        return Providers(by_name=by_name, default=found[0])
    if len(names) == 1 and len(by_name) == 1:
        return Providers(by_name=by_name, default=next(iter(by_name.values())))
    raise InvalidField("default_api", f"must be one of {', '.join(by_name)}")


def _provider(name: str, document: object, usual: Timeouts, asks_for_usage: bool) -> Provider:
    place = f"apis.{name}"
    if not NAME.fullmatch(name):
        raise InvalidField(place, "must be named with lower-case letters, digits, _ and -")
    form = _form(document, ProviderForm, place)
    origin, base_path, host = _address(f"{place}.base_url", form.base_url)
    for endpoint in form.allowed_endpoints:
        _check_endpoint(f"{place}.allowed_endpoints", endpoint, name)
    methods = frozenset(method.upper() for method in form.allowed_methods)
    if not methods or not methods <= METHODS:
        raise InvalidField(f"{place}.allowed_methods", f"must be of {', '.join(sorted(METHODS))}")
    if not form.allowed_endpoints:
        raise InvalidField(f"{place}.allowed_endpoints", "must name at least one path")
    usual_credential = OWN_CREDENTIALS.get(host) or OWN_CREDENTIALS.get(name) or "bearer"
    return Provider(
        name=name,
        origin=origin,
        base_path=base_path,
        credential=form.auth or usual_credential,
        endpoints=form.allowed_endpoints,
        methods=methods,
        timeouts=_timeouts(f"{place}.timeouts", form.timeouts, usual),
        params=_params(f"{place}.param_whitelist", form.param_whitelist),
        origins=frozenset(form.allowed_origins),
        required_headers=tuple(header.lower() for header in form.required_headers),
        asks_for_usage=asks_for_usage if form.ask_for_usage is None else form.ask_for_usage,
        models=form.models,
    )


def _address(place: str, url: str) -> tuple[str, str, str]:
    """Return origin, path and host."""
    rule = "must be an http:// or https:// address without user, query or fragment"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise InvalidField(place, rule) from None
    plain = not (parts.query or parts.fragment or "@" in parts.netloc) and url.isascii()
    path = parts.path.rstrip("/")
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise InvalidField(place, rule)
    if path and not PATTERN.fullmatch(path):
        raise InvalidField(place, "must have a path of plain segments, or none")
    return f"{parts.scheme}://{parts.netloc}", path, parts.hostname


def _check_endpoint(place: str, endpoint: str, name: str) -> None:
    if not PATTERN.fullmatch(endpoint) or "/../" in f"{endpoint}/" or "/./" in f"{endpoint}/":
        rule = f"{endpoint!r} must be a path such as /v1/chat/completions; * is part of a segment"
        raise InvalidField(place, rule)
    if endpoint.startswith(f"/v1/{name}/"):
        rule = f"{endpoint!r} is taken: /v1/{name}/ stands for the provider of that name"
        raise InvalidField(place, rule)


def _params(place: str, written: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    for name, globs in written.items():
        if not globs:
            raise InvalidField(f"{place}.{name}", "must hold at least one pattern")
        if name != name.strip().casefold():
            raise InvalidField(f"{place}.{name}", "must be in lower case")
    return dict(written)


def _timeouts(place: str, written: TimeoutsForm, usual: Timeouts) -> Timeouts:
    if written.flush_interval is not None:
        _seconds(f"{place}.flush_interval", written.flush_interval)
    said = {
        "answer_s": ("request", written.request),
        "first_byte_s": ("response_header", written.response_header),
        "keep_alive_s": ("idle_connection", written.idle_connection),
    }
    changes = {
        field: _seconds(f"{place}.{name}", text)
        for field, (name, text) in said.items()
        if text is not None
    }
    return replace(usual, **changes)


def _seconds(place: str, text: str) -> float:
    rule = "must be a duration such as 30s, 1m30s or 10ms"
    if not DURATION.fullmatch(text):
        raise InvalidField(place, rule)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)", text)
    seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
    if not 0 < seconds <= 86_400:
        raise InvalidField(place, "must be more than nothing, and at most a day")
    return seconds


def _form(document: object, kind: type[Form], place: str) -> Form:
    try:
        return convert(document, kind)
    except ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        where = f"{place}{path.rstrip('`')}".lstrip(".")
        raise InvalidField(where or "the file", reason) from None
