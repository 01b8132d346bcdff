"""What an API key looks like, and what of it is kept and shown."""

import re
from hashlib import sha256
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmring_core.accounts import MAX_KEY_LENGTH, digest_of, key_of
from llmring_core.accounts.api_keys import kept, shown
from llmring_core.ids import ApiKeyId
from tests.builders.kernel import NOON, P1

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FORM = re.compile(r"llmr_pk_([0-9A-Za-z]{43})_([0-9A-Za-z]{6})", re.ASCII)
OLD = "llmr_pk_" + "0123456789abcdef" * 2  # as historic clients make them

secrets = st.binary(min_size=32, max_size=32)


def number_of(digits: str) -> int:
    number = 0
    for digit in digits:
        number = number * 62 + DIGITS.index(digit)
    return number


@given(secrets)
def test_a_key_carries_the_whole_secret_and_its_checksum(secret: bytes) -> None:
    found = FORM.fullmatch(key_of(secret))
    assert found is not None
    body, check = found.groups()
    assert number_of(body).to_bytes(32) == secret
    assert number_of(check) == crc32(body.encode())


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32])
def test_every_key_is_equally_long(secret: bytes) -> None:
    assert len(key_of(secret)) == 58 <= MAX_KEY_LENGTH


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_key_is_kept_as_its_sha_256(key: str) -> None:
    assert digest_of(key) == sha256(key.encode()).hexdigest()


@given(secrets)
def test_what_is_kept_does_not_give_the_key_away(secret: bytes) -> None:
    key = key_of(secret)
    stored = kept(key, ApiKeyId("k"), P1, NOON)
    assert key[8:-4] not in repr(stored) and key[8:51] not in repr(stored)
    assert stored.shown == f"llmr_pk_…{key[-4:]}"
    assert stored.revoked_at is None


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (OLD, "llmr_pk_…cdef"),
        ("x" * 20 + "abcd", "…abcd"),
        ("x" * 19 + "abcd", "…"),  # four of so few would give too much away
        ("llmr_pk_short", "llmr_pk_…"),
        ("", "…"),
    ],
)
def test_no_more_than_four_digits_are_shown(key: str, text: str) -> None:
    assert shown(key) == text
