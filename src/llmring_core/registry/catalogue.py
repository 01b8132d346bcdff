"""A snapshot, opened: its models, and a price list entry for every name a model answers to."""

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from decimal import Decimal

from msgspec import Struct, convert

from llmring_core.registry.documents import content_of
from llmring_core.registry.entries import PRICE
from llmring_core.registry.filters import filtered
from llmring_core.registry.model import ModelKey, Prices, Quote, Selection, Snapshot

PRICED = (
    "input",
    "output",
    "cached_input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "input_long_context",
    "output_long_context",
    "output_thinking",
)


class _Entry(Struct, frozen=True, kw_only=True, rename={name: PRICE + name for name in PRICED}):
    """The members a quote is made of. Prices are US dollars per million tokens."""

    provider: str
    model_name: str
    is_active: bool
    model_aliases: list[str] | None = None
    supports_long_context_pricing: bool | None = None
    long_context_threshold_tokens: int | None = None
    max_output_tokens: int | None = None
    input: Decimal | None
    output: Decimal | None
    cached_input: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write_5m: Decimal | None = None
    cache_write_1h: Decimal | None = None
    input_long_context: Decimal | None = None
    output_long_context: Decimal | None = None
    output_thinking: Decimal | None = None

    def prices(self) -> Prices | None:
        if self.input is None or self.output is None:
            return None
        long_context = self.supports_long_context_pricing and self.long_context_threshold_tokens
        return Prices(
            input=self.input,
            output=self.output,
            cached_input=self.cached_input,
            cache_read=self.cache_read,
            cache_write_5m=self.cache_write_5m,
            cache_write_1h=self.cache_write_1h,
            input_long_context=self.input_long_context,
            output_long_context=self.output_long_context,
            output_thinking=self.output_thinking,
            long_context_threshold=long_context or None,
        )


class Catalogue:
    """One snapshot's models, and their quotes by name. Nothing here ever changes."""

    def __init__(self, snapshot: Snapshot) -> None:
        content = content_of(snapshot.document)
        self.snapshot = snapshot
        self._content = content
        priced = [
            (entry, _quote(snapshot, key, entry))
            for key, entry in convert(content.models, dict[ModelKey, _Entry]).items()
        ]
        self._names = _by_name(priced)
        self._aliases = _by_alias(priced)

    def quote(self, provider: str, model: str) -> Quote | None:
        """Return what ``model`` costs, or None when no price is known.

        Looked up as ``provider:model``; as a key of its own; as a bare name that only one
        provider has; as ``provider/model``; as an alias, the given provider's before others'.
        A model without a price has none, even where another one answers to its name.
        """
        key = f"{provider}:{model}"
        for name in (key, model):
            if name in self._names:
                return self._names[name]
        return self._aliases.get(key) or self._aliases.get(model)

    def select(
        self, providers: Set[str] = frozenset(), capabilities: Set[str] = frozenset()
    ) -> Selection:
        """Return the models that pass the filters. Raises InvalidField."""
        return Selection(
            snapshot=self.snapshot,
            models=filtered(self._content.models, providers, capabilities),
            providers=self._content.providers,
        )


def _quote(snapshot: Snapshot, key: ModelKey, entry: _Entry) -> Quote | None:
    prices = entry.prices()
    if prices is None:
        return None
    return Quote(
        model=key,
        prices=prices,
        registry_version=snapshot.version,
        registry_digest=snapshot.digest,
        max_output_tokens=entry.max_output_tokens,
    )


def _by_name(priced: Iterable[tuple[_Entry, Quote | None]]) -> Mapping[str, Quote | None]:
    providers_of = Counter(entry.model_name for entry, _ in priced)
    keys: dict[str, Quote | None] = {}
    bare: dict[str, Quote | None] = {}
    slashed: dict[str, Quote | None] = {}
    for entry, quote in priced:
        keys[f"{entry.provider}:{entry.model_name}"] = quote
        slashed[f"{entry.provider}/{entry.model_name}"] = quote
        if providers_of[entry.model_name] == 1:
            bare[entry.model_name] = quote
    return slashed | bare | keys  # where two spellings meet, the later one here stands


def _by_alias(priced: Iterable[tuple[_Entry, Quote | None]]) -> Mapping[str, Quote | None]:
    """Models no longer active keep their own name only; of two, the larger model name wins."""
    aliases: dict[str, Quote | None] = {}
    for entry, quote in sorted(priced, key=lambda pair: pair[0].model_name):
        for alias in entry.model_aliases or () if entry.is_active else ():
            aliases[alias] = aliases[f"{entry.provider}:{alias}"] = quote
    return aliases
