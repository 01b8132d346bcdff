"""The vocabularies of the package: unchanged, offline, and safe from what breaks the library."""

import gzip
from hashlib import sha256

import pytest

from llmring_adapters.counting import PackagedCounter
from llmring_adapters.counting.packaged import FOLDER, MAX_COUNTED, PIECE, vocabulary_of

# As tiktoken 0.14 states them for the files it would download.
DIGESTS = {
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}


@pytest.fixture(scope="module")
def counter() -> PackagedCounter:
    return PackagedCounter()


@pytest.mark.parametrize("name", DIGESTS)
def test_the_files_are_the_published_ones(name: str) -> None:
    text = gzip.decompress((FOLDER / f"{name}.tiktoken.gz").read_bytes())
    assert sha256(text).hexdigest() == DIGESTS[name]


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o-mini", "o200k_base"),
        ("openai/gpt-4.1", "o200k_base"),
        ("gpt-5.1", "o200k_base"),
        ("o3-mini", "o200k_base"),
        ("omni-moderation-latest", "o200k_base"),
        ("gpt-oss-120b", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("gpt-35-turbo", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("claude-sonnet-4-5", "cl100k_base"),
        ("gemini-2.5-pro", "cl100k_base"),
        ("", "cl100k_base"),
    ],
)
def test_a_model_has_a_vocabulary(model: str, name: str) -> None:
    assert vocabulary_of(model) == name


@pytest.mark.parametrize(
    ("text", "newer", "older"),
    [
        ("", 0, 0),
        ("hello world", 2, 2),
        ("<|endoftext|>", 7, 7),  # what a user writes is never a special token
        ("antidisestablishmentarianism", 6, 6),
        ("こんにちは、世界", 3, 5),
    ],
)
def test_counts_as_the_models_do(
    counter: PackagedCounter, text: str, newer: int, older: int
) -> None:
    assert counter.count("gpt-4o", [text]) == newer
    assert counter.count("gpt-4", [text]) == older


def test_texts_add_up(counter: PackagedCounter) -> None:
    assert counter.count("gpt-4o", ["hello world", "", "hello world"]) == 4


@pytest.mark.parametrize("character", [" ", "\n", "é", "a", "\U0001f600", "\u0301", "\ud800"])
def test_a_long_run_of_anything_is_counted(counter: PackagedCounter, character: str) -> None:
    counted = counter.count("gpt-4o", [character * PIECE * 3])
    assert 0 < counted <= PIECE * 3 * 3


def test_beyond_its_limit_it_counts_in_proportion(counter: PackagedCounter) -> None:
    once = counter.count("gpt-4o", ["word " * (MAX_COUNTED // 5)])
    texts = ["word " * (MAX_COUNTED // 5), "word " * (MAX_COUNTED // 5)]
    assert counter.count("gpt-4o", texts) == 2 * once
