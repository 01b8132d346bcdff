"""The receipts of the conformance kit, good and bad: every expectation is stated here by hand."""

import json
import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from typing import Any, NamedTuple

import rfc8785
from nacl.signing import SigningKey

SEEDS = {"active": bytes(range(32)), "retired": bytes(range(1, 33)), "revoked": bytes(range(2, 34))}
ORDER = 2**252 + 27742317777372353535851937790883648493  # of the group: S must be below it

BASE: dict[str, Any] = {
    "type": "llmring.receipt",
    "v": 2,
    "id": "rcpt_01a1fc5e-7885-7661-98b1-497ad51e930d",
    "project": "01a1fc5e-0000-7000-8000-000000000001",
    "seq": 1,
    "issued_at": "2026-11-20T12:00:00.000001Z",
    "key_id": "active",
    "provider": "openai",
    "model": "gpt-4o-mini",
    "alias": "caf\u00e9 \U0001f600",
    "profile": "default",
    "lock_digest": None,
    "usage_id": None,
    "called_at": "2026-11-20T12:00:00.000000Z",
    "usage": {
        "input_uncached": 1000,
        "input_cache_read": 0,
        "input_cache_write_5m": 0,
        "input_cache_write_1h": 0,
        "output": 200,
        "output_reasoning": 0,
        "source": "client",
    },
    "cost": {
        "amount": "0.00027",
        "currency": "USD",
        "status": "registry",
        "rounding": "half-even-12",
        "lines": [
            {
                "unit": "input_uncached",
                "quantity": 1000,
                "rate": "0.15",
                "per": 1_000_000,
                "amount": "0.00015",
            },
            {
                "unit": "output",
                "quantity": 200,
                "rate": "0.6",
                "per": 1_000_000,
                "amount": "0.00012",
            },
        ],
    },
    "registry": {"version": "2026.11.20", "digest": "ab" * 32},
}


class Case(NamedTuple):
    name: str
    text: bytes
    valid: bool
    why: str


def signed(receipt: dict[str, Any], seed: str = "active") -> dict[str, Any]:
    signature = SigningKey(SEEDS[seed]).sign(rfc8785.dumps(receipt)).signature
    return receipt | {"signature": text_of(signature)}


def text_of(signature: bytes) -> str:
    return "ed25519:" + urlsafe_b64encode(signature).decode().rstrip("=")


def raw_of(receipt: dict[str, Any]) -> bytes:
    return urlsafe_b64decode(receipt["signature"].removeprefix("ed25519:") + "==")


def compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def cases() -> Iterator[Case]:
    yield from spelt_in_other_ways()
    yield from with_other_keys()
    yield from with_other_signatures()
    yield from with_changed_members()
    yield from of_another_form()


def spelt_in_other_ways() -> Iterator[Case]:
    good = signed(BASE)
    text = compact(good)
    same = "the same receipt, spelt in another way"
    yield Case("as-served", rfc8785.dumps(good), True, "exactly what was signed, and the signature")
    yield Case("reversed", compact(dict(reversed(good.items()))), True, same)
    yield Case("indented", json.dumps(good, indent=3).encode(), True, same)
    yield Case("escaped", json.dumps(good).encode(), True, same)
    yield Case("escaped-letters", text.replace(b"gpt", b"\\u0067pt"), True, same)
    yield Case("escaped-slash", text.replace(b"openai", b"open\\u0061i"), True, same)
    yield Case("tabs", text.replace(b",", b"\t,\r\n "), True, same)
    whole = "a count is written as a whole number"
    yield Case("integer-as-fraction", text.replace(b'"seq":1,', b'"seq":1.0,'), False, whole)
    yield Case("integer-with-exponent", text.replace(b'"seq":1,', b'"seq":1e0,'), False, whole)
    twice = "a member that comes twice says two things"
    yield Case("twice-equal", text.replace(b'"seq":1,', b'"seq":1,"seq":1,'), False, twice)
    yield Case("twice-other", text.replace(b'"seq":1,', b'"seq":2,"seq":1,'), False, twice)
    yield Case("twice-escaped", text.replace(b'"seq":1,', b'"s\\u0065q":2,"seq":1,'), False, twice)
    yield Case(
        "twice-within",
        text.replace(b'"amount":"0.00027"', b'"amount":"0","amount":"0.00027"'),
        False,
        twice,
    )
    no_json = "this is no JSON"
    yield Case("byte-order-mark", b"\xef\xbb\xbf" + text, False, no_json)
    yield Case("utf-16", text.decode().encode("utf-16"), False, no_json)
    yield Case("invalid-utf-8", text.replace(b"gpt", b"g\xff\xfet"), False, no_json)
    yield Case("lone-surrogate", text.replace(b"gpt", b"\\ud800"), False, no_json)
    yield Case("two-documents", text + text, False, no_json)
    yield Case("trailing-comma", text[:-1] + b",}", False, no_json)
    yield Case("comment", b"/* */" + text, False, no_json)
    yield Case("leading-zero", text.replace(b'"seq":1,', b'"seq":01,'), False, no_json)
    yield Case("plus-sign", text.replace(b'"seq":1,', b'"seq":+1,'), False, no_json)
    yield Case("not-a-number", text.replace(b'"seq":1,', b'"seq":NaN,'), False, no_json)
    yield Case("infinity", text.replace(b'"seq":1,', b'"seq":1e999,'), False, no_json)
    lost = "a number no double carries exactly"
    yield Case(
        "integer-of-2-53", text.replace(b'"seq":1,', b'"seq":9007199254740993,'), False, lost
    )
    yield Case(
        "long-fraction", text.replace(b'"seq":1,', b'"seq":1.00000000000000000001,'), False, lost
    )
    yield Case("array", b"[" + text + b"]", False, "a receipt is an object")
    yield Case("empty", b"", False, no_json)
    yield Case(
        "deep", text[:-1] + b',"x":' + b"[" * 40 + b"]" * 40 + b"}", False, "nested too deep"
    )


def with_other_keys() -> Iterator[Case]:
    yield Case(
        "retired-key",
        compact(signed(BASE | {"key_id": "retired"}, "retired")),
        True,
        "it signed in its time",
    )
    yield Case(
        "revoked-key-before",
        compact(
            signed(
                BASE | {"key_id": "revoked", "issued_at": "2026-11-19T23:59:59.999999Z"}, "revoked"
            )
        ),
        True,
        "signed before its key was revoked",
    )
    yield Case(
        "revoked-key-after",
        compact(signed(BASE | {"key_id": "revoked"}, "revoked")),
        False,
        "signed after its key was revoked",
    )
    unknown = "its key is not known"
    for number, name in enumerate(
        ["nobody", "../../etc/passwd", "https://example.com/key", "\u0430ctive", ""]
    ):
        yield Case(
            f"unknown-key-{number}", compact(signed(BASE | {"key_id": name})), False, unknown
        )
    yield Case(
        "another-key",
        compact(signed(BASE, "retired")),
        False,
        "signed with another key than it names",
    )
    yield Case(
        "embedded-key",
        compact(signed(BASE | {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}})),
        False,
        "a member that no receipt has",
    )
    yield Case(
        "algorithm", compact(signed(BASE | {"alg": "none"})), False, "a member that no receipt has"
    )


def with_other_signatures() -> Iterator[Case]:
    good = signed(BASE)
    raw, text = raw_of(good), good["signature"]
    spelling = "a signature has one spelling"
    others = {
        "missing": None,
        "upper-case": text.replace("ed25519", "ED25519"),
        "no-prefix": text.removeprefix("ed25519:"),
        "padded": text + "==",
        "blank": text + " ",
        "standard-alphabet": "ed25519:"
        + text.removeprefix("ed25519:").replace("-", "+").replace("_", "/")
        + "=",
        "63-bytes": text_of(raw[:-1]),
        "65-bytes": text_of(raw + b"\0"),
        "hexadecimal": "ed25519:" + raw.hex(),
        "array": [text],
        "trailing-bits": text[:-1] + chr(ord(text[-1]) + 1),
    }
    for name, other in others.items():
        members = {k: v for k, v in good.items() if k != "signature"}
        changed = members if other is None else members | {"signature": other}
        yield Case(f"signature-{name}", compact(changed), False, spelling)
    large = int.from_bytes(raw[32:], "little") + ORDER
    forged = raw[:32] + large.to_bytes(32, "little")
    yield Case(
        "signature-large-s",
        compact(good | {"signature": text_of(forged)}),
        False,
        "S is not below the order",
    )
    zero = bytes(64)
    yield Case(
        "signature-zero",
        compact(good | {"signature": text_of(zero)}),
        False,
        "no signature of this",
    )
    other = signed(BASE | {"seq": 2})["signature"]
    yield Case(
        "signature-of-another",
        compact(good | {"signature": other}),
        False,
        "that of another receipt",
    )


def with_changed_members() -> Iterator[Case]:
    good = signed(BASE)
    why = "changed after it was signed"
    for name, value in BASE.items():
        if isinstance(value, str):
            other: Any = value + "x"
        elif isinstance(value, dict):
            inner = next(iter(value))
            other = value | {inner: value[inner] + (1 if isinstance(value[inner], int) else "0")}
        else:
            other = 7 if value is None or isinstance(value, int) else value
        yield Case(f"changed-{name}", compact(good | {name: other}), False, why)
    for name in ("seq", "cost", "registry", "alias"):
        less = {k: v for k, v in good.items() if k != name}
        yield Case(f"without-{name}", compact(less), False, why)
    decomposed = good | {"alias": unicodedata.normalize("NFD", good["alias"])}
    yield Case(
        "decomposed-letters", compact(decomposed), False, "other characters, though they look alike"
    )
    yield Case(
        "amount-with-zeros",
        compact(good | {"cost": good["cost"] | {"amount": "0.000270"}}),
        False,
        why,
    )


def of_another_form() -> Iterator[Case]:
    number = "amounts are texts: a number could be read in two ways"
    cost = BASE["cost"] | {"amount": 0.00027}
    yield Case("amount-as-number", compact(signed(BASE | {"cost": cost})), False, number)
    yield Case("another-version", compact(signed(BASE | {"v": 3})), False, "no version we know")
    yield Case(
        "another-type", compact(signed(BASE | {"type": "llmring.statement"})), False, "no receipt"
    )
    yield Case(
        "extra-member", compact(signed(BASE | {"note": "x"})), False, "a member that no receipt has"
    )
    yield Case(
        "negative-seq-text", compact(signed(BASE | {"seq": "1"})), False, "a number is no text"
    )
    loose = signed(BASE)
    yield Case("null", b"null", False, "a receipt is an object")
    yield Case("nothing-in-it", b"{}", False, "no receipt")
    yield Case("only-a-signature", compact({"signature": loose["signature"]}), False, "no receipt")
