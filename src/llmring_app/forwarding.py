"""The gateway, as the settings and the provider configuration have it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from llmring_app.container import Container
from llmring_app.errors import CannotStart
from llmring_app.settings import Settings, variable
from llmring_core.errors import InvalidField
from llmring_core.gateway.forwarding import Providers, Timeouts, providers_in
from llmring_http.gateway.parts import Caching, Forwarding
from llmring_http.gateway.proxy import Proxy
from llmring_http.gateway.telling import Telling

MAX_FILE = 1024 * 1024  # bytes


def proxy_of(container: Container) -> Proxy | None:
    """Return the gateway; None where no provider is configured. Raises CannotStart."""
    settings: Settings = container.settings()
    if settings.api_config_path is None:
        return None
    parts = Forwarding(
        providers=providers_of(settings, Path(settings.api_config_path)),
        recognise=container.recognise_token(),
        resolve=container.resolve_model(),
        open_key=container.open_provider_key(),
        charge=container.charge_request(),
        attempts=container.attempts(),
        upstream=container.upstream(),
        caching=_caching(container),
        record_refusal=container.record_refusal(),
        telling=Telling(
            bus=container.events(),
            limits=container.excerpt_limits(),
            measures=container.measures().gateway,
        ),
        max_body_bytes=settings.gateway_max_body_bytes,
        max_in_flight=settings.max_in_flight,
        drain_s=settings.gateway_drain_s,
        drain_bytes=settings.gateway_drain_bytes,
        send_s=settings.gateway_idle_timeout_s,
    )
    return Proxy(parts)


@asynccontextmanager
async def forwarding(container: Container, proxy: Proxy | None) -> AsyncIterator[None]:
    """End and record the calls under way, and let go of the providers, before the store closes."""
    try:
        yield
    finally:
        if proxy is not None:
            await proxy.close()
            await container.upstream().close()
            cache = container.response_cache()
            if cache is not None:
                await cache.aclose()


def providers_of(settings: Settings, file: Path) -> Providers:
    """Return the providers that ``file``, YAML 1.2, configures. Raises CannotStart."""
    usual = Timeouts(
        connect_s=settings.gateway_connect_timeout_s,
        first_byte_s=settings.gateway_first_byte_timeout_s,
        idle_s=settings.gateway_idle_timeout_s,
        answer_s=settings.gateway_answer_timeout_s,
        stream_s=settings.gateway_stream_timeout_s,
        keep_alive_s=settings.gateway_keep_alive_s,
    )
    try:
        return providers_in(
            _document(file),
            usual,
            settings.default_api_provider,
            asks_for_usage=settings.gateway_ask_for_usage,
        )
    except InvalidField as error:
        raise CannotStart(f"the provider configuration {file}: {error}") from error


def _caching(container: Container) -> Caching | None:
    """Return the cache and what goes with it; None where there is none. Raises CannotStart."""
    if container.response_cache() is None:
        return None
    return Caching(
        find=container.find_answer(),
        keep=container.keep_answer(),
        record=container.record_hit(),
        flights=container.flights(),
        measures=container.measures().cache,
        policy=container.cache_policy(),
        clock=container.clock(),
    )


def _document(file: Path) -> object:
    """Read YAML: plain values only, and no key twice. Raises CannotStart."""
    from ruamel import yaml  # noqa: PLC0415  who forwards nothing does without it

    named = f"{variable('api_config_path')} names {file}, which"
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise CannotStart(f"{named} cannot be read: {reason}") from error
    except UnicodeDecodeError as error:
        raise CannotStart(f"{named} is not UTF-8") from error
    try:
        return yaml.YAML(typ="safe", pure=True).load(text[:MAX_FILE])  # pure: it reads YAML 1.2
    except (yaml.error.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" at line {mark.line + 1}"
        raise CannotStart(f"{named} is not sound YAML{where}") from error
