"""Rule: the two historic shapes of a receipt, and which bytes of each are signed.

Flat receipts have ``receipt_id`` and thirteen signed members; nested ones have ``id``, and all of
their members are signed.
"""

import re
from typing import Literal, TypeAlias

from llmring_core.canonical import canonical
from llmring_core.receipts.errors import BadReceipt

Shape: TypeAlias = Literal["v2", "flat", "nested"]
SignedShape: TypeAlias = Shape | Literal["statement"]

TYPE = "llmring.receipt"
STATEMENT_TYPE = "llmring.statement"

TEXTS = ("receipt_id", "timestamp", "alias", "profile", "lock_digest", "provider", "model")
COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
COSTS = ("input_cost", "output_cost", "total_cost")
SIGNED = (*TEXTS, *COUNTS, *COSTS)
CONTENT = ("receipt_type", "batch_summary", "description", "tags")  # not of the thirteen
LOOSE = (*CONTENT, "key_id", "content_digest", "signature_v2")  # how content is signed after all

NESTED_TEXTS = ("id", "timestamp", "model", "alias", "profile", "lock_digest", "key_id")
NESTED_OPTIONAL = ("registry_version",)

TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d(:\d\d)?)?", re.ASCII
)


def shape_of(document: dict[str, object]) -> SignedShape:
    """Tell by its members what kind of receipt this is, or a statement. Raises BadReceipt."""
    if document.get("type") == TYPE:
        return "v2"
    if document.get("type") == STATEMENT_TYPE:
        return "statement"
    if "receipt_id" in document:
        return "flat"
    if "id" in document and "tokens" in document:
        return "nested"
    raise BadReceipt("a receipt has type, or receipt_id, or id and tokens")


def flat_bytes(document: dict[str, object]) -> bytes:
    """Return what is signed of a flat receipt. Raises BadReceipt, NotCanonical."""
    return canonical(flat_members(document))


def flat_members(document: dict[str, object]) -> dict[str, object]:
    """Return the signed members of a flat receipt: thirteen, the time with an offset.

    Raises: BadReceipt.
    """
    _check(document, TEXTS, str)
    _check(document, COUNTS, int)
    for name in COSTS:
        if not isinstance(document.get(name), int | float) or isinstance(document[name], bool):
            raise BadReceipt(f"{name} must be a number")
    signed = {name: document[name] for name in SIGNED}
    return signed | {"timestamp": signed_time(str(document["timestamp"]))}


def nested_bytes(document: dict[str, object]) -> bytes:
    """Return what is signed of a nested receipt: all of it but the signature, as transmitted.

    Raises: BadReceipt, NotCanonical.
    """
    _check(document, NESTED_TEXTS, str)
    tokens, cost = document.get("tokens"), document.get("cost")
    if not isinstance(tokens, dict) or not isinstance(cost, dict):
        raise BadReceipt("tokens and cost must be objects")
    _check(tokens, ("input", "output"), int)
    _check(cost, ("amount", "calculation"), str)
    known = {*NESTED_TEXTS, *NESTED_OPTIONAL, "tokens", "cost", "signature"}
    if document.keys() - known:
        raise BadReceipt("a nested receipt has members it should not have")
    return canonical({name: value for name, value in document.items() if name != "signature"})


def document_of(body: str, loose: str | None, signature: str) -> str:
    """Return a receipt as it is served: what is signed, byte by byte, the rest, and the signature.

    ``body`` and ``loose`` are JSON objects.
    """
    more = f",{loose[1:-1]}" if loose else ""
    return f'{body[:-1]}{more},"signature":"{signature}"}}'


def signed_time(text: str) -> str:
    """Return a time as it is signed: in Python's form, where UTC is ``+00:00``. Raises BadReceipt.

    Microseconds are there only when they are not zero; another offset, or none, stays.
    """
    if not TIME.fullmatch(text):
        raise BadReceipt("timestamp must be a time such as 2026-11-20T12:00:00+00:00")
    text = text.replace(" ", "T")
    if text.endswith("Z"):
        text = text.removesuffix("Z") + "+00:00"
    whole, dot, rest = text.partition(".")
    if not dot:
        return text
    digits = re.match(r"\d+", rest)
    fraction = digits[0] if digits else ""
    micros = fraction.ljust(6, "0")
    return (
        f"{whole}.{micros}{rest[len(fraction) :]}" if int(micros) else whole + rest[len(fraction) :]
    )


def _check(document: dict[str, object], names: tuple[str, ...], kind: type) -> None:
    for name in names:
        value = document.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise BadReceipt(f"{name} must be {'a text' if kind is str else 'a whole number'}")
