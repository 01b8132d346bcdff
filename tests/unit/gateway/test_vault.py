"""Encryption of providers' keys: whose opens what, and how the key is replaced."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from llmring_adapters.gateway.vault import LocalVault
from llmring_adapters.transactions.memory import memory_transactions
from llmring_app.encryption_keys import add_encryption_key, encryption_keys, vault_of
from llmring_app.errors import CannotStart
from llmring_app.settings import Settings
from llmring_core.gateway import CannotUnseal, OpenProviderKey, ResealKeys
from tests.builders.auditing import ORIGIN, recording
from tests.builders.gateway import SEALED_KEY, kept, sealed_key, vault
from tests.builders.kernel import P1, FakeClock

OLD, NEW = bytes(32), bytes(range(32))
TEXT = "sk-canary"


class TestVault:
    def test_gives_back_what_was_sealed_for_the_place(self) -> None:
        keys = vault(OLD)
        one, other = keys.seal(TEXT, "here"), keys.seal(TEXT, "here")
        assert keys.unseal(one, "here") == TEXT
        assert one.box != other.box and TEXT.encode() not in one.box

    def test_nothing_moved_changed_or_foreign_opens(self) -> None:
        sealed = vault(OLD).seal(TEXT, "here")
        changed = replace(sealed, box=sealed.box[:-1] + bytes([sealed.box[-1] ^ 1]))
        for wrong in (changed, replace(sealed, box=b""), replace(sealed, key_id="enc_0")):
            with pytest.raises(CannotUnseal):
                vault(OLD).unseal(wrong, "here")
        with pytest.raises(CannotUnseal):
            vault(OLD).unseal(sealed, "there")
        with pytest.raises(CannotUnseal):
            vault(NEW).unseal(sealed, "here")

    def test_seals_with_the_first_key_and_opens_with_all(self) -> None:
        both = vault(NEW, OLD)
        assert both.unseal(vault(OLD).seal(TEXT, "here"), "here") == TEXT
        assert vault(NEW).unseal(both.seal(TEXT, "here"), "here") == TEXT

    def test_looks_for_a_key_that_came_later(self) -> None:
        keys = [OLD]
        running = LocalVault(lambda: keys)
        keys.insert(0, NEW)
        assert running.unseal(vault(NEW).seal(TEXT, "here"), "here") == TEXT


class TestRotation:
    async def test_leaves_nothing_under_the_old_key(self) -> None:
        begin = memory_transactions()
        await kept(begin)
        async with begin() as work:
            for name in ("openai", "anthropic"):
                await work.gateway.put_key(P1, sealed_key(vault(OLD), name, f"{TEXT}-{name}"))
        assert await ResealKeys(begin, vault(NEW, OLD), recording(FakeClock()))(ORIGIN) == 2

        async def find(_: str) -> list[object]:
            async with begin() as work:
                return list(await work.gateway.keys(P1))

        for name in ("openai", "anthropic"):
            opened = OpenProviderKey(find, vault(NEW))  # type: ignore[arg-type]
            assert await opened(P1, name) == f"{TEXT}-{name}"

    async def test_changes_nothing_when_one_cannot_be_opened(self) -> None:
        begin = memory_transactions()
        await kept(begin)
        good = sealed_key(vault(OLD), "anthropic", TEXT)
        async with begin() as work:
            for key in (good, SEALED_KEY):
                await work.gateway.put_key(P1, key)
        with pytest.raises(CannotUnseal):
            await ResealKeys(begin, vault(NEW, OLD), recording(FakeClock()))(ORIGIN)
        async with begin() as work:
            assert await work.gateway.keys(P1) == [good, SEALED_KEY]


class TestKeyFile:
    def test_is_made_on_first_need_and_readable_by_nobody_else(self, tmp_path: Path) -> None:
        file = tmp_path / "enc.key"
        settings = Settings(encryption_key_file=str(file))
        sealed = vault_of(settings, lambda: OLD).seal(TEXT, "here")
        assert vault_of(settings, lambda: NEW).unseal(sealed, "here") == TEXT
        assert file.stat().st_mode & 0o777 == 0o600

    def test_keeps_older_keys_when_a_new_one_comes(self, tmp_path: Path) -> None:
        settings = Settings(encryption_key_file=str(tmp_path / "enc.key"))
        assert encryption_keys(settings, lambda: OLD) == [OLD]
        add_encryption_key(settings, lambda: NEW)
        assert encryption_keys(settings, lambda: OLD) == [NEW, OLD]

    @pytest.mark.parametrize("content", ["", "short", f"{'A' * 43}\nshort"])
    def test_that_is_none_is_refused(self, tmp_path: Path, content: str) -> None:
        file = tmp_path / "enc.key"
        file.write_text(content)
        file.chmod(0o600)
        with pytest.raises(CannotStart, match="must hold 32 bytes as base64url"):
            encryption_keys(Settings(encryption_key_file=str(file)), lambda: OLD)

    @pytest.mark.parametrize("text", ["-_" * 21 + "8", "+/" * 21 + "8="])
    def test_gives_way_to_the_settings_in_either_alphabet(self, text: str) -> None:
        settings = Settings(encryption_key=f"{text},{'A' * 43}=")
        first, second = encryption_keys(settings, lambda: NEW)
        assert first == (b"\xfb\xff\xbf" * 11)[:32]
        assert second == OLD
