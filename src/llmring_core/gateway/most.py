"""Rule: the most a call may come to, which is what a budget has to have room for."""

from decimal import Decimal
from typing import Final

from msgspec import Struct, json

from llmring_core.gateway.dialects import Dialect
from llmring_core.gateway.dialects.counts import is_count
from llmring_core.gateway.forwarding.params import check_once, members_of
from llmring_core.gateway.limits import MAX_COUNT
from llmring_core.money import MAX_RECORD_USD
from llmring_core.registry import Quote
from llmring_core.usage import Tokens, cost_usd, rate_lines

USUAL_OUTPUT: Final = 32_768  # tokens, of a model of which the registry does not say more
INPUTS: Final = ("input_uncached", "input_cache_write_5m", "input_cache_write_1h")
OUTPUTS: Final = ("output", "output_reasoning")


class Most(Struct, frozen=True, kw_only=True):
    """What is set aside for a call."""

    tokens: int
    usd: Decimal | None  # None: nobody knows what the model costs


class GeminiLimits(Struct, frozen=True, kw_only=True):
    maxOutputTokens: object = None
    max_output_tokens: object = None
    candidateCount: object = None
    candidate_count: object = None


class AskedFor(Struct, frozen=True, kw_only=True):
    """The members by which the dialects limit an answer, and ask for several."""

    max_tokens: object = None
    max_completion_tokens: object = None
    max_output_tokens: object = None
    n: object = None
    best_of: object = None
    prompt: object = None  # a list of several has an answer to each
    generationConfig: GeminiLimits = GeminiLimits()
    generation_config: GeminiLimits = GeminiLimits()


_ASKED_FOR: Final = json.Decoder(AskedFor)


def most_of(dialect: Dialect | None, body: bytes | None, quote: Quote | None) -> Most:
    """Return the most a call may come to.

    A token is at least a byte, so its prompt has no more tokens than its body has bytes; what
    pictures and files at other addresses add is not known before. Its answer has as many as the
    call allows, or the model can give, times the answers it asks for.

    Raises: ParamNotAllowed when a limit stands twice, as a provider may well read the other one.
    """
    members = members_of(body or b"")
    if body is not None and members is not None:
        check_once(body, members, AskedFor.__struct_fields__)
    read = min(len(body or b""), MAX_COUNT)
    written = 0 if dialect == "openai-embeddings" else _written(dialect, body, quote)
    tokens = min(read + written, MAX_COUNT)
    if quote is None:
        return Most(tokens=tokens, usd=None)
    usd = _dearest(INPUTS, read, quote) + _dearest(OUTPUTS, written, quote)
    return Most(tokens=tokens, usd=min(usd, MAX_RECORD_USD))


def _written(dialect: Dialect | None, body: bytes | None, quote: Quote | None) -> int:
    asked = _asked_for(body)
    usual = USUAL_OUTPUT if quote is None else quote.max_output_tokens or USUAL_OUTPUT
    most = max(filter(is_count, _limits(dialect, asked)), default=usual)
    prompts = asked.prompt if isinstance(asked.prompt, list) else []
    several = 1 if all(isinstance(one, int) for one in prompts) else len(prompts)
    return min(most * max(filter(is_count, _answers(asked)), default=1) * several, MAX_COUNT)


def _limits(dialect: Dialect | None, asked: AskedFor) -> tuple[object, ...]:
    """Return what ``dialect`` reads; a limit that its provider does not read limits nothing."""
    match dialect:
        case "openai-chat":
            return asked.max_completion_tokens, asked.max_tokens
        case "openai-responses":
            return (asked.max_output_tokens,)
        case "anthropic-messages":
            return (asked.max_tokens,)
        case "gemini":
            return tuple(
                limit
                for config in (asked.generationConfig, asked.generation_config)
                for limit in (config.maxOutputTokens, config.max_output_tokens)
            )
    return ()


def _answers(asked: AskedFor) -> tuple[object, ...]:
    gemini = [
        count
        for config in (asked.generationConfig, asked.generation_config)
        for count in (config.candidateCount, config.candidate_count)
    ]
    return (1, asked.n, asked.best_of, *gemini)


def _asked_for(body: bytes | None) -> AskedFor:
    try:
        return _ASKED_FOR.decode(body or b"{}")
    except (ValueError, RecursionError):
        return AskedFor()


def _dearest(kinds: tuple[str, ...], count: int, quote: Quote) -> Decimal:
    """Return what ``count`` tokens cost as whichever of ``kinds`` costs the most."""
    return max(cost_usd(rate_lines(Tokens(**{kind: count}), quote.prices)) for kind in kinds)
