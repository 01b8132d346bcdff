"""The registry endpoints. Public: nothing here belongs to anybody."""

from datetime import datetime
from typing import Any, Final

from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from llmring_core.errors import InvalidField, StoreUnavailable
from llmring_core.registry import (
    CorruptSnapshot,
    ProviderNotFound,
    ReadChangelog,
    ReadProviderEdition,
    ReadProviderFile,
    ReadRegistry,
    ReadRegistryStatus,
    ReadVersion,
    RegistryQuery,
    Selection,
    VersionNotFound,
)
from llmring_http.conditional import (
    HOUR,
    Representation,
    Representations,
    cached,
    conditional,
)
from llmring_http.decoding import public_query_parameters
from llmring_http.problems import Unprocessable
from llmring_http.registry.changelog import (
    ChangelogBody,
    ChangelogParams,
    changelog_lifetime,
    changelog_of,
)
from llmring_http.registry.wire import (
    Manifest,
    MirroredFile,
    RegistryBody,
    headers_of,
    lifetime_of,
    query,
)

STORE: Final = (CorruptSnapshot, StoreUnavailable)  # what any look at an older version may meet
READ_VERSION: Final = cached(RegistryBody, VersionNotFound, *STORE)
READ: Final = cached(RegistryBody, VersionNotFound, InvalidField, *STORE)
_bodies: Final = Representations(limit=32)


class RegistryController(Controller):
    tags = ["registry"]

    @get(["/registry", "/registry.json"], responses=READ)
    async def registry(
        self,
        request: Request[Any, Any, Any],
        read_registry: NamedDependency[ReadRegistry],
        read_registry_status: NamedDependency[ReadRegistryStatus],
        now: NamedDependency[datetime],
        version: FromQuery[str | None] = None,
        providers: FromQuery[str | None] = None,
        capabilities: FromQuery[str | None] = None,
    ) -> Response[bytes | None]:
        """Return models and prices in force, or of an older version; lists are comma-separated."""
        selection = await read_registry(query(version, providers, capabilities))
        return conditional(
            request,
            _registry(selection),
            HOUR,
            headers_of(await read_registry_status(), selection, now),
        )

    @get("/registry/v/{version:str}/registry.json", responses=READ_VERSION)
    async def version(
        self,
        request: Request[Any, Any, Any],
        version: FromPath[str],
        read_version: NamedDependency[ReadVersion],
    ) -> Response[bytes | None]:
        """Return one published version, which never changes.

        A number N gathers the Nth edition of every provider's file, as far as this server has it.
        """
        return conditional(request, _registry(await read_version(version)), lifetime_of(version))

    @get(
        "/registry/changelog",
        responses=cached(ChangelogBody, VersionNotFound, InvalidField, Unprocessable, *STORE),
        **public_query_parameters(ChangelogParams),
    )
    async def changelog(
        self,
        request: Request[Any, Any, Any],
        params: NamedDependency[ChangelogParams],
        read_changelog: NamedDependency[ReadChangelog],
    ) -> Response[bytes | None]:
        """Return what each version changed, newest first, or what lies between `from` and `to`."""
        found = await read_changelog(params.query())
        return conditional(request, changelog_of(found), changelog_lifetime(found))

    @get("/registry/manifest.json", responses=cached(Manifest))
    async def manifest(
        self, request: Request[Any, Any, Any], read_registry: NamedDependency[ReadRegistry]
    ) -> Response[bytes | None]:
        """Return which editions of the providers' files are in force."""
        selection = await read_registry(RegistryQuery())
        return conditional(request, _manifest(selection), HOUR)

    @get("/registry/{provider:str}/models.json", responses=cached(MirroredFile, ProviderNotFound))
    async def provider_file(
        self,
        request: Request[Any, Any, Any],
        provider: FromPath[str],
        read_provider_file: NamedDependency[ReadProviderFile],
    ) -> Response[bytes | None]:
        """Return one provider's models in the form the public registry publishes them."""
        selection = await read_provider_file(provider)
        return conditional(request, _provider_file(provider, selection), HOUR)

    @get(
        "/registry/{provider:str}/v/{number:str}/models.json",
        responses=cached(MirroredFile, ProviderNotFound, VersionNotFound, *STORE),
    )
    async def provider_edition(
        self,
        request: Request[Any, Any, Any],
        provider: FromPath[str],
        number: FromPath[str],
        read_provider_edition: NamedDependency[ReadProviderEdition],
    ) -> Response[bytes | None]:
        """Return the Nth edition of a provider's file, if this server has had it in force."""
        selection = await read_provider_edition(provider, number)
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
