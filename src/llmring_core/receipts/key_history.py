"""Which keys sign, signed and may not sign any more. Writes first, reads after."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from llmring_core.clock import Clock
from llmring_core.receipts.errors import BadKey, CannotSign, KeyNotFound
from llmring_core.receipts.model import KeyId, PublicKey
from llmring_core.receipts.ports import ReceiptSigner, ReceiptsWork
from llmring_core.transactions import Begin


def check_in_force(keys: Sequence[PublicKey], signer: ReceiptSigner) -> None:
    """Raises CannotSign when the key was retired or revoked since this server started."""
    if not any(key.id == signer.key_id and key.status == "active" for key in keys):
        raise CannotSign("the key of this server is not in force any more; restart it with another")


@dataclass(frozen=True, slots=True)
class AdoptKey:
    """Put the signing key in force, in place of the one before; its history stays."""

    begin: Begin[ReceiptsWork]
    signer: ReceiptSigner
    clock: Clock

    async def __call__(self) -> PublicKey:
        """Raises BadKey when the key was retired or revoked, or another one has its name."""
        now = self.clock()
        async with self.begin() as work:
            keys = {key.id: key for key in await work.keys.all()}
            known = keys.get(self.signer.key_id)
            if known is not None:
                return _usable(known, self.signer.public_key)
            for key in keys.values():
                if key.status == "active":
                    await work.keys.put(replace(key, retired_at=now))
            new = PublicKey(
                id=self.signer.key_id,
                raw=self.signer.public_key,
                not_before=now,
                retired_at=None,
                revoked_at=None,
            )
            await work.keys.put(new)
        return new


@dataclass(frozen=True, slots=True)
class CloseKey:
    """Retire a key, or revoke it: what it signed from then on is not to be trusted."""

    begin: Begin[ReceiptsWork]
    clock: Clock

    async def __call__(self, id: KeyId, *, revoke: bool) -> PublicKey:
        """Raises KeyNotFound. Closing it again changes nothing."""
        now = self.clock()
        async with self.begin() as work:
            known = {key.id: key for key in await work.keys.all()}.get(id)
            if known is None:
                raise KeyNotFound(f"no key is called {id}")
            closed = replace(
                known,
                retired_at=known.retired_at or now,
                revoked_at=known.revoked_at or (now if revoke else None),
            )
            await work.keys.put(closed)
        return closed


@dataclass(frozen=True, slots=True)
class ListKeys:
    """Read every key that ever signed here."""

    begin: Begin[ReceiptsWork]

    async def __call__(self) -> Sequence[PublicKey]:
        async with self.begin() as work:
            return await work.keys.all()


def _usable(known: PublicKey, raw: bytes) -> PublicKey:
    if known.raw != raw:
        raise BadKey(f"another key is called {known.id}; choose another name for this one")
    if known.status != "active":
        raise BadKey(f"key {known.id} is {known.status}, and signs nothing any more; make another")
    return known
