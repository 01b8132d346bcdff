"""US dollars: exact, 12 decimals, never a float. One record is at most a million dollars."""

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from llmring_core.errors import InvalidField

DECIMALS = 12
QUANTUM = Decimal(1).scaleb(-DECIMALS)
MAX_RECORD_USD = Decimal(1_000_000)

# Wide enough that no sum of records is ever rounded: 10^18 records of a million dollars.
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)

_TEXT = re.compile(r"\d{1,7}(\.\d{1,12})?", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,32}(\.\d{1,32})?([eE][+-]?\d{1,3})?", re.ASCII)


def usd_from_text(field: str, text: str) -> Decimal:
    """Read an amount given as a decimal string, such as ``"0.0025"``; nothing is rounded.

    Raises: InvalidField when it is negative, above a million, finer than 12 decimals or no amount.
    """
    if not _TEXT.fullmatch(text):
        raise InvalidField(field, "must be US dollars with at most 12 decimals, such as 0.0025")
    return _within_record(field, rounded(Decimal(text)))  # 0.1 and 0.10 become the same Decimal


def usd_from_number(field: str, literal: str) -> Decimal:
    """Read an amount given as a JSON number, rounded half-even to 12 decimals.

    Published clients compute costs in binary floats and send their noise
    (``0.00030000000000000003``), so a number is rounded where a string is refused.
    Raises: InvalidField when it is negative, above a million or no amount.
    """
    if not _NUMBER.fullmatch(literal):
        raise InvalidField(field, "must be a number of US dollars")
    amount = Decimal(literal)
    if abs(amount) > 2 * MAX_RECORD_USD:  # 1e999 has too many digits to round
        raise _out_of_range(field)
    return _within_record(field, rounded(amount))


def rounded(amount: Decimal) -> Decimal:
    """Return ``amount`` in US dollars, half-even to 12 decimals."""
    return amount.quantize(QUANTUM, context=EXACT)


def total(amounts: list[Decimal]) -> Decimal:
    """Return the exact sum of ``amounts`` in US dollars."""
    with localcontext(EXACT):
        return sum(amounts, Decimal(0))


def plain(amount: Decimal, least_decimals: int = 0) -> str:
    """Write ``amount`` without exponent or trailing zeros, with at least that many decimals."""
    digits, _, fraction = f"{amount:f}".partition(".")
    fraction = fraction.rstrip("0").ljust(least_decimals, "0")
    return f"{digits}.{fraction}" if fraction else digits


def _within_record(field: str, amount: Decimal) -> Decimal:
    if not 0 <= amount <= MAX_RECORD_USD:
        raise _out_of_range(field)
    return abs(amount)  # -0 is 0


def _out_of_range(field: str) -> InvalidField:
    return InvalidField(field, f"must be between 0 and {MAX_RECORD_USD} US dollars")
