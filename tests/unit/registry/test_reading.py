"""What is in force can be read: all of it, some of it, one edition, its status."""

import pytest

from llmring_core.registry import (
    ProviderNotFound,
    ReadProviderFile,
    ReadRegistry,
    ReadRegistryStatus,
    ReadVersion,
    RegistryQuery,
    VersionNotFound,
)
from tests.unit.registry.builders import entry, published
from tests.unit.registry.servers import BUNDLED, DEARER, FILES, Server, no_database


class TestReading:
    async def test_a_version_reads_the_same_after_it_is_superseded(self) -> None:
        server = Server({}, FILES | {"openai": published("openai", 8, gpt=DEARER)})
        await server.load()
        read_version = ReadVersion(server.archive)
        before = await read_version(BUNDLED.version)
        await server.refresh()
        assert await read_version(BUNDLED.version) == before
        assert (await read_version("2026.11.20")).snapshot.version == "2026.11.20"

    @pytest.mark.parametrize("version", ["2026.08.17", "2026.08.18.2", "7", "..", "a\0b", ""])
    async def test_a_version_never_published_is_not_found(self, version: str) -> None:
        server = Server({}, FILES)
        with pytest.raises(VersionNotFound, match="Registry version not found"):
            await ReadVersion(server.archive)(version)
        with pytest.raises(VersionNotFound):
            await ReadRegistry(server.registry, server.archive)(RegistryQuery(version=version))

    async def test_no_database_is_asked_for_what_cannot_be_a_version(self) -> None:
        server = Server({}, {}, begin=no_database)
        with pytest.raises(VersionNotFound):
            await ReadVersion(server.archive)("a\0b")

    async def test_a_query_chooses_the_version_and_filters_it(self) -> None:
        server = Server({}, FILES | {"openai": published("openai", 8, new=entry())})
        await server.load()
        await server.refresh()
        query = RegistryQuery(version=BUNDLED.version, providers=frozenset({"openai"}))
        selection = await ReadRegistry(server.registry, server.archive)(query)
        assert list(selection.models) == ["openai:gpt"]
        assert set(selection.providers) == {"openai", "anthropic", "google"}

    async def test_a_provider_file_holds_its_models_only(self) -> None:
        server = Server({}, FILES)
        selection = await ReadProviderFile(server.registry)("google")
        assert list(selection.models) == ["google:gemini"]
        with pytest.raises(ProviderNotFound):
            await ReadProviderFile(server.registry)("Google")

    async def test_the_status_is_that_of_the_last_check(self) -> None:
        server = Server({}, {})
        await server.load()
        checked = await server.refresh()
        assert await ReadRegistryStatus(server.registry)() == checked
