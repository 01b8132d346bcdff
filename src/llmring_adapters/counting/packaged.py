"""Vocabularies from the package, so that counting needs no network."""

import gzip
import re
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Final

from tiktoken import Encoding

from llmring_core.gateway.dialects import TokenCounter

FOLDER: Final = Path(__file__).with_name("vocabularies")
PIECE: Final = 10_000  # characters: of a run of a million blanks the library overflows its stack
MAX_COUNTED: Final = 2_000_000  # characters; what is beyond counts as what came before

# What is a word, by vocabulary. Source: tiktoken 0.14, ``tiktoken_ext/openai_public.py``.
WORDS: Final = {
    "cl100k_base": (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
        r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
    ),
    "o200k_base": (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
}
OLDER: Final = re.compile(r"gpt-3|gpt-4(?!o|\.\d)|text-embedding")
NEWER: Final = re.compile(r"gpt-|^o\d|omni|chatgpt")


class PackagedCounter(TokenCounter):
    """Loads a vocabulary when it is first needed: a third of a second, and 60 to 90 MB."""

    def __init__(self) -> None:
        self._loading = Lock()
        self._loaded: dict[str, Encoding] = {}

    def count(self, model: str, texts: Sequence[str]) -> int:
        encoding = self._encoding(vocabulary_of(model))
        counted = tokens = 0
        for text in texts:
            for start in range(0, min(len(text), MAX_COUNTED - counted), PIECE):
                end = min(start + PIECE, len(text), start + MAX_COUNTED - counted)
                tokens += len(encoding.encode_ordinary(text[start:end]))
                counted += end - start
        whole = sum(map(len, texts))
        return tokens if counted == whole else tokens * whole // counted

    def _encoding(self, name: str) -> Encoding:
        with self._loading:
            if name not in self._loaded:
                self._loaded[name] = loaded(name)
            return self._loaded[name]


def vocabulary_of(model: str) -> str:
    """Return OpenAI's vocabulary for its models; for those of others the older one is as near."""
    if NEWER.search(model) and not OLDER.search(model):
        return "o200k_base"
    return "cl100k_base"


def loaded(name: str) -> Encoding:
    """Return one of the vocabularies in WORDS, read from its file."""
    lines = gzip.decompress((FOLDER / f"{name}.tiktoken.gz").read_bytes()).splitlines()
    pairs = [line.split() for line in lines]
    ranks = {b64decode(token): int(rank) for token, rank in pairs}
    return Encoding(name, pat_str=WORDS[name], mergeable_ranks=ranks, special_tokens={})
