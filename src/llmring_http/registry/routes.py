"""The registry endpoints. Public: nothing here belongs to anybody."""

from typing import Any, Final

from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from llmring_core.errors import InvalidField
from llmring_core.registry import (
    ProviderNotFound,
    ReadProviderFile,
    ReadRegistry,
    ReadVersion,
    RegistryQuery,
    Selection,
    VersionNotFound,
)
from llmring_http.conditional import (
    FOREVER,
    HOUR,
    Representation,
    Representations,
    conditional,
)
from llmring_http.problems import documented
from llmring_http.registry.wire import Manifest, MirroredFile, RegistryBody, query

_bodies: Final = Representations(limit=32)


class RegistryController(Controller):
    tags = ["registry"]

    @get(["/registry", "/registry.json"], responses=documented(VersionNotFound, InvalidField))
    async def registry(
        self,
        request: Request[Any, Any, Any],
        read_registry: NamedDependency[ReadRegistry],
        version: FromQuery[str | None] = None,
        providers: FromQuery[str | None] = None,
        capabilities: FromQuery[str | None] = None,
    ) -> Response[bytes | None]:
        """Return models and prices in force, or of an older version; lists are comma-separated."""
        selection = await read_registry(query(version, providers, capabilities))
        return conditional(request, _registry(selection), HOUR)

    @get("/registry/v/{version:str}/registry.json", responses=documented(VersionNotFound))
    async def version(
        self,
        request: Request[Any, Any, Any],
        version: FromPath[str],
        read_version: NamedDependency[ReadVersion],
    ) -> Response[bytes | None]:
        """Return one published version, which never changes."""
        return conditional(request, _registry(await read_version(version)), FOREVER)

    @get("/registry/manifest.json")
    async def manifest(
        self, request: Request[Any, Any, Any], read_registry: NamedDependency[ReadRegistry]
    ) -> Response[bytes | None]:
        """Return which editions of the providers' files are in force."""
        selection = await read_registry(RegistryQuery())
        return conditional(request, _manifest(selection), HOUR)

    @get("/registry/{provider:str}/models.json", responses=documented(ProviderNotFound))
    async def provider_file(
        self,
        request: Request[Any, Any, Any],
        provider: FromPath[str],
        read_provider_file: NamedDependency[ReadProviderFile],
    ) -> Response[bytes | None]:
        """Return one provider's models in the form the public registry publishes them."""
        selection = await read_provider_file(provider)
        return conditional(request, _provider_file(provider, selection), HOUR)


def _registry(selection: Selection) -> Representation:
    key = selection.snapshot.digest, tuple(selection.models)
    version = selection.snapshot.version
    return _bodies.get(version, key, lambda: RegistryBody.encoded(selection))


def _manifest(selection: Selection) -> Representation:
    key = selection.snapshot.digest, "manifest"
    version = selection.snapshot.version
    return _bodies.get(version, key, lambda: Manifest.encoded(selection))


def _provider_file(provider: str, selection: Selection) -> Representation:
    key = selection.snapshot.digest, "file", provider
    version = selection.snapshot.version
    return _bodies.get(version, key, lambda: MirroredFile.encoded(provider, selection))
