"""The snapshot in force in this process: swapped whole, read without waiting."""

from llmring_core.registry import (
    Catalogue,
    Quote,
    RegistryInForce,
    RegistryStatus,
    Snapshot,
    unconfirmed,
)


class LiveRegistry(RegistryInForce):
    """Starts with a snapshot, so that there is never a moment without prices."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.put(Catalogue(snapshot), unconfirmed(snapshot))

    @property
    def catalogue(self) -> Catalogue:
        return self._catalogue

    @property
    def status(self) -> RegistryStatus:
        return self._status

    def put(self, catalogue: Catalogue, status: RegistryStatus) -> None:
        self._catalogue = catalogue
        self._status = status

    def quote(self, provider: str, model: str) -> Quote | None:
        return self._catalogue.quote(provider, model)
