"""Rule: the most a call may come to, which is what a budget has to have room for."""

from decimal import Decimal
from typing import Final

from msgspec import Struct, json

from llmring_core.gateway.dialects.counts import is_count
from llmring_core.gateway.limits import MAX_COUNT
from llmring_core.money import MAX_RECORD_USD
from llmring_core.registry import Quote
from llmring_core.usage import Tokens, cost_usd, rate_lines

USUAL_OUTPUT: Final = 32_768  # tokens, of a model of which the registry does not say more
NO_OUTPUT: Final = "/embeddings"
INPUTS: Final = ("input_uncached", "input_cache_write_5m", "input_cache_write_1h")
OUTPUTS: Final = ("output", "output_reasoning")


class Most(Struct, frozen=True, kw_only=True):
    """What is set aside for a call."""

    tokens: int
    usd: Decimal | None  # None: nobody knows what the model costs


class GeminiLimits(Struct, frozen=True, kw_only=True):
    maxOutputTokens: object = None
    candidateCount: object = None


class AskedFor(Struct, frozen=True, kw_only=True):
    """The members by which the dialects limit an answer."""

    max_tokens: object = None
    max_completion_tokens: object = None
    max_output_tokens: object = None
    n: object = None
    generationConfig: GeminiLimits = GeminiLimits()


_ASKED_FOR: Final = json.Decoder(AskedFor)


def most_of(endpoint: str, body: bytes | None, quote: Quote | None) -> Most:
    """Return the most a call may come to.

    A token is at least a byte, so its prompt has no more tokens than its body has bytes; what
    pictures and files at other addresses add is not known before. Its answer has as many as the
    call allows, or the model can give, times the answers it asks for.
    """
    read = min(len(body or b""), MAX_COUNT)
    written = 0 if endpoint.endswith(NO_OUTPUT) else _written(body, quote)
    tokens = min(read + written, MAX_COUNT)
    if quote is None:
        return Most(tokens=tokens, usd=None)
    usd = _dearest(INPUTS, read, quote) + _dearest(OUTPUTS, written, quote)
    return Most(tokens=tokens, usd=min(usd, MAX_RECORD_USD))


def _written(body: bytes | None, quote: Quote | None) -> int:
    asked = _asked_for(body)
    usual = USUAL_OUTPUT if quote is None else quote.max_output_tokens or USUAL_OUTPUT
    limits = (
        asked.max_completion_tokens,
        asked.max_output_tokens,
        asked.max_tokens,
        asked.generationConfig.maxOutputTokens,
    )
    most = max((limit for limit in limits if is_count(limit)), default=usual)
    counts = (asked.n, asked.generationConfig.candidateCount)
    answers = max((count for count in counts if is_count(count)), default=1)
    return min(most * max(answers, 1), MAX_COUNT)


def _asked_for(body: bytes | None) -> AskedFor:
    try:
        return _ASKED_FOR.decode(body or b"{}")
    except (ValueError, RecursionError):
        return AskedFor()


def _dearest(kinds: tuple[str, ...], count: int, quote: Quote) -> Decimal:
    """Return what ``count`` tokens cost as whichever of ``kinds`` costs the most."""
    return max(cost_usd(rate_lines(Tokens(**{kind: count}), quote.prices)) for kind in kinds)
