"""Rule: which published model entries we trust, and the members every entry ends up with."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct, ValidationError, convert

from llmring_core.money import DECIMALS, EXACT, QUANTUM
from llmring_core.registry.model import Facts

MAX_PRICE = 1_000_000  # US dollars per million tokens
MAX_DEPTH = 16  # of lists and objects inside one entry
MAX_INTEGER = 2**53 - 1

PRICE = "dollars_per_million_tokens_"
STORAGE_PRICE = "cache_storage_cost_per_million_tokens_per_hour"

PROSE = ("description", "recommended_use_cases")
DERIVED = ("max_context", "inactive_from")

# Members the server has always answered with, present even where the file leaves them out.
ALWAYS: Facts = {
    "display_name": None,
    "description": None,
    "max_input_tokens": None,
    "max_output_tokens": None,
    "supports_vision": False,
    "supports_function_calling": False,
    "supports_json_mode": False,
    "supports_parallel_tool_calls": False,
    "tool_call_format": None,
    f"{PRICE}input": None,
    f"{PRICE}output": None,
    "is_active": True,
}

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Tokens = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]


class _Known(Struct, frozen=True, kw_only=True):
    """The members somebody decides by; the others only pass through."""

    provider: Name
    model_name: Name
    display_name: str | None = None
    model_aliases: list[Name] | None = None
    max_input_tokens: Tokens | None = None
    max_output_tokens: Tokens | None = None
    long_context_threshold_tokens: Tokens | None = None
    deprecated_date: str | None = None
    is_active: bool = True
    is_reasoning_model: bool | None = None


def completed(provider: str, key: str, entry: object) -> Facts:
    """Return a published entry with all its members, checked, plus those derived from them.

    Raises: ValueError, saying what is wrong.
    Source: registry schema as published since 2025-09-21; keys are ``provider:model_name``.
    """
    if not isinstance(entry, dict):
        raise ValueError("is not an object")
    prefix, _, name = key.partition(":")
    facts = {**ALWAYS, "provider": prefix, "model_name": name, **entry}
    known = _known(facts)
    if (prefix, name) != (known.provider, known.model_name) or prefix != provider:
        raise ValueError("is filed under another name than its own")
    for member, value in facts.items():
        _check(member, value)
    derived = {
        "max_context": known.max_input_tokens,
        "inactive_from": None if known.is_active else known.deprecated_date,
    }
    carried(facts)
    return facts | derived


def carried(value: object, depth: int = 0) -> Json:
    """Return ``value`` in types that RFC 8785 writes with exactly the digits it came with.

    That form knows doubles only, so a double carries each number, and one it would alter is
    refused: the digest must state the price that is charged.
    Raises: ValueError, saying what is wrong.
    """
    if depth > MAX_DEPTH:
        raise ValueError("is nested too deep")
    match value:
        case Mapping():
            return {str(member): carried(item, depth + 1) for member, item in value.items()}
        case list():
            return [carried(item, depth + 1) for item in value]
        case Decimal():
            return _double(value)
        case int() if abs(value) > MAX_INTEGER:
            raise ValueError("has an integer of 2^53 or more")
        case None | bool() | int() | str():
            return value
    raise TypeError(f"{type(value)} does not come from JSON")


def _double(value: Decimal) -> float:
    double = float(value)
    if Decimal(repr(double)) != value:
        raise ValueError("has a number with more digits than a double carries")
    return double


def _known(facts: Facts) -> _Known:
    try:
        return convert(facts, _Known)
    except ValidationError as error:
        raise ValueError(f"is malformed: {error}") from None


def _check(member: str, value: object) -> None:
    if member.startswith(PRICE) or member == STORAGE_PRICE:
        _check_price(member, value)
    elif member.startswith("supports_") and not isinstance(value, bool | None):
        raise ValueError(f"has a {member[:60]} that is neither true, false nor null")


def _check_price(member: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"has a {member[:60]} that is no number")
    if not 0 <= value <= MAX_PRICE:
        raise ValueError(f"has a {member[:60]} outside 0 to {MAX_PRICE}")
    if EXACT.remainder(Decimal(value), QUANTUM):
        raise ValueError(f"has a {member[:60]} with more than {DECIMALS} decimals")
