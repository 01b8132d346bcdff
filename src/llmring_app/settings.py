"""All configuration: what there is, its defaults, the rule each value keeps; read once."""

import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Self, get_type_hints
from urllib.parse import urlsplit

from msgspec import convert, json, to_builtins

from llmring_adapters.database import url_of
from llmring_adapters.redis import BoundedRedis
from llmring_app.dotenv import read_dotenv
from llmring_app.errors import BadSetting
from llmring_app.gateway_settings import GatewaySettings
from llmring_app.other_names import TOLERATED, TWINS
from llmring_app.setting_types import (
    Auth,
    Bytes,
    Connections,
    DatabaseUrl,
    EncryptionKeys,
    Environment,
    FileName,
    Flag,
    Key,
    KeyName,
    LogFormat,
    LogLevel,
    LogName,
    Origins,
    RedisUrl,
    Requests,
    SchemaName,
    Seconds,
    SomeConnections,
    SomeSeconds,
    Token,
    WebUrl,
    Witnesses,
)
from llmring_app.witness_keys import witness_in

PREFIX: Final = "LLMRING_"
DOTENV: Final = Path(".env")  # in the current directory
SECRET_FILES: Final = {
    "database_url_file": "database_url",
    "redis_url_file": "redis_url",
    "redis_cache_url_file": "redis_cache_url",
    "metrics_token_file": "metrics_token",
    "management_token_file": "management_token",
}
LISTS: Final = ("cors_origins", "witnesses")
PUBLIC_REGISTRY: Final = "https://llmring.github.io/registry/"
HISTORIC_AUTH: Final = "api_key_validation_mode"
HISTORIC_AUTH_VALUES: Final = {"bridge": "open", "strict": "keys"}


class Settings(GatewaySettings, frozen=True, kw_only=True):
    """Field ``x`` is the variable ``LLMRING_X``."""

    env: Environment = "dev"
    database_url: DatabaseUrl = "sqlite:///./llmring.db"
    database_schema: SchemaName = "llmring"
    database_pool_size: SomeConnections = 20
    database_pool_overflow: Connections = 10
    redis_url: RedisUrl = None
    cache_ttl: Seconds = 3600
    cors_origins: Origins = ("http://localhost:5173", "http://localhost:5174")
    registry_base_url: WebUrl = PUBLIC_REGISTRY
    registry_refresh_s: Seconds = 3600  # 0: never
    auth: Auth = "open"
    open_to_network: Flag = False
    trust_identity_headers: Flag = False
    max_body_bytes: Bytes = 1024**2
    max_in_flight: Requests = 4096  # of each worker
    header_timeout_s: SomeSeconds = 15
    body_timeout_s: SomeSeconds = 30  # in each such time some of the body must come
    log_format: LogFormat = None  # text on a terminal, else json
    log_level: LogLevel = "warning"
    access_log: Flag = False
    metrics_token: Token = None
    receipts_private_key_b64: Key = None  # without it, the file's
    receipts_public_key_b64: Key = None  # checked against the private one
    receipts_key_id: KeyName = None  # without it, made of the public key
    receipts_key_file: FileName = None
    log_origin: LogName = None  # without it, made of the log's key
    log_key_file: FileName = None
    witnesses: Witnesses = ()
    management_token: Token = None  # without it, nobody manages the gateway
    gateway_project_delete: Flag = False
    encryption_key: EncryptionKeys = None  # without it, the file's
    encryption_key_file: FileName = None

    @classmethod
    def read(cls, environment: Mapping[str, str], dotenv: Path = DOTENV) -> Self:
        """Return what the environment says, else what the file says, else the defaults.

        Raises: BadSetting, naming the variable and the rule, never the value.
        """
        sources = (read_dotenv(dotenv), environment)
        texts: dict[str, str] = {}
        for source in sources:  # under our own names they count for more
            texts |= _by_field(source)
        values = _values_of_twins(sources, texts)
        values |= {field: _value(field, text) for field, text in texts.items()}
        if values.get("env") == "prod" and "database_url" not in values:
            raise BadSetting("LLMRING_DATABASE_URL must be set for production")
        if values.get("env") == "test":
            values.setdefault("database_url", "sqlite:///./llmring_test.db")
        settings = convert(values, cls)
        if settings.is_redis_cached and settings.redis_for_cache is None:
            raise BadSetting("LLMRING_REDIS_CACHE_URL must be set for a cache in Redis")
        return settings

    @property
    def redis_for_cache(self) -> str | None:
        return self.redis_cache_url or self.redis_url

    @property
    def is_open(self) -> bool:
        """Whether any well-formed key is welcome, as a new project of its own."""
        return self.auth == "open"

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    def redacted(self) -> dict[str, object]:
        """Return every variable with its value, plain as in JSON, and without passwords."""
        values: dict[str, object] = to_builtins(self)
        values["database_url"] = without_password(self.database_url)
        for url in ("redis_url", "redis_cache_url"):
            values[url] = values[url] and without_password(str(values[url]))
        values["metrics_token"] = self.metrics_token and "***"
        for secret in ("receipts_private_key_b64", "management_token", "encryption_key"):
            values[secret] = getattr(self, secret) and "***"
        return {variable(field): value for field, value in values.items()}

    def __repr__(self) -> str:  # a traceback or a log may print it
        return f"Settings({self.redacted()})"


TYPES: Final = get_type_hints(Settings, include_extras=True)
NAMES: Final = [*TYPES, *SECRET_FILES, HISTORIC_AUTH]


def variable(name: str) -> str:
    """Return the environment variable of that name."""
    return PREFIX + name.upper()


def rule(field: str) -> str:
    """Return what the field's value must be."""
    description: str = TYPES[field].__metadata__[0].description
    return description


def without_password(url: str) -> str:
    """Return ``url`` with what may be a secret in it replaced by ``***``."""
    hidden = re.sub(r"(?s)//([^:/]*):.*@", r"//\1:***@", url)  # to the last @: passwords hold some
    return re.sub(r"(?i)([?&][^=&]*(?:pass|secret|token|key)[^=&]*)=[^&]*", r"\1=***", hidden)


def _values_of_twins(
    sources: Sequence[Mapping[str, str]], known: Collection[str]
) -> dict[str, object]:
    """Return what is said under the names of other gateways of fields that are not ``known``."""
    values: dict[str, object] = {}
    for name, field in TWINS.items():
        given = [text for source in sources if (text := source.get(name, "").strip())]
        if given and field not in known:
            values[field] = _value(field, given[-1], name)
    return values


def _by_field(variables: Mapping[str, str]) -> dict[str, str]:
    """Return what one source says, under the names of our fields."""
    texts: dict[str, str] = {}
    for name, text in variables.items():
        if not name.upper().startswith(PREFIX):
            continue
        field, meant = _meaning(name.upper().removeprefix(PREFIX).lower(), text.strip())
        if field is None:
            continue
        if field in texts:
            raise BadSetting(f"{variable(field)} is given twice, in two spellings; keep one")
        texts[field] = meant
    return texts


def _meaning(name: str, text: str) -> tuple[str | None, str]:
    """Return which field a variable sets, to what; no field when it means nothing here."""
    if name in TOLERATED:
        return None, ""
    if name not in NAMES:
        raise BadSetting(_unknown(name))
    if not text and name != "cors_origins":
        return None, ""
    if name in SECRET_FILES:
        return SECRET_FILES[name], _content(name, text)
    if name == HISTORIC_AUTH:
        if text not in HISTORIC_AUTH_VALUES:
            raise BadSetting(f"{variable(name)} must be bridge or strict")
        return "auth", HISTORIC_AUTH_VALUES[text]
    return name, text


def _unknown(name: str) -> str:
    near = get_close_matches(name, NAMES, n=1)
    hint = (
        f"did you mean {variable(near[0])}?"
        if near
        else "`llmring-server config --help` lists them"
    )
    return f"{variable(name)} is not a setting; {hint}"


def _content(name: str, path: str) -> str:
    try:
        content = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        content = ""
    if not content:
        raise BadSetting(f"{variable(name)} must name a readable file that is not empty")
    return content


def _value(field: str, text: str, name: str | None = None) -> object:
    try:
        _check_address(field, text)
        raw = _items(text) if field in LISTS else text
        return convert(raw, TYPES[field], strict=False)
    except ValueError:  # its message may hold the value
        raise BadSetting(f"{name or variable(field)} must be {rule(field)}") from None


def _check_address(field: str, text: str) -> None:
    """Raises ValueError when the library behind a URL could not read it."""
    if field == "database_url":
        url_of(text)
    elif field in ("redis_url", "redis_cache_url"):
        _ = BoundedRedis(text)
    elif field == "witnesses":
        _ = [witness_in(item) for item in _items(text)]
    elif field.endswith("_url"):
        _ = urlsplit(text).port


def _items(text: str) -> list[str]:
    if text.startswith("["):
        return json.decode(text, type=list[str])
    return [item.strip() for item in text.split(",") if item.strip()]
