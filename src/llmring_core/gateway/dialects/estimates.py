"""Rule: what a call used when its provider does not tell, or tells too little.

Source: for what frames the messages of a chat, OpenAI's published counting of 2023, 3 tokens a
message and 3 for the answer's head. Pictures, sound and files are not counted.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Raw, Struct, json
from msgspec.structs import asdict, replace

from llmring_core.gateway.dialects.counts import is_count
from llmring_core.gateway.dialects.model import MAX_TOKENS, Dialect, Reading, Said
from llmring_core.gateway.dialects.ports import TokenCounter
from llmring_core.usage import Tokens

PER_MESSAGE: Final = 3  # tokens
PER_ANSWER: Final = 3
CHARACTERS_PER_TOKEN: Final = 4  # of text that came and was not kept

# What is in these is no text the model reads, or is not counted as text.
_NO_TEXT: Final = frozenset(
    {
        *("type", "role", "id", "call_id", "tool_call_id", "tool_use_id", "cache_control"),
        *("detail", "format", "mimeType", "mime_type", "media_type", "image_url", "url", "data"),
        *("file", "file_id", "file_data", "source", "input_audio", "inlineData", "inline_data"),
        *("fileData", "signature", "thoughtSignature", "encrypted_content"),
    }
)


class Prompt(Struct, frozen=True, kw_only=True):
    """What a request gives the model to read."""

    texts: tuple[str, ...]
    messages: int
    counted: int  # tokens the caller sent as numbers


class PromptMembers(Struct, frozen=True, kw_only=True):
    messages: object = None
    system: object = None
    prompt: object = None
    input: object = None
    instructions: object = None
    contents: object = None
    systemInstruction: object = None
    system_instruction: object = None


class Tools(Struct, frozen=True, kw_only=True):
    tools: Raw = Raw()
    functions: Raw = Raw()


_MEMBERS: Final = json.Decoder(PromptMembers)
_TOOLS: Final = json.Decoder(Tools)


def prompt_in(body: bytes) -> Prompt:
    """Return what a request of any dialect gives to read; nothing, when it cannot be read."""
    try:
        members, tools = _MEMBERS.decode(body), _TOOLS.decode(body)
    except (ValueError, RecursionError):
        return Prompt(texts=(), messages=0, counted=0)
    leaves = [leaf for value in asdict(members).values() for leaf in _leaves(value)]
    texts = [leaf for leaf in leaves if isinstance(leaf, str)]
    texts += [bytes(raw).decode() for raw in (tools.tools, tools.functions) if bytes(raw)]
    turns = (members.messages, members.contents, members.input)
    return Prompt(
        texts=tuple(texts),
        messages=sum(_messages(turn) for turn in turns),
        counted=sum(is_count(token) for token in _leaves(members.input)),
    )


def estimated(
    reading: Reading, dialect: Dialect, prompt: Prompt, said: Said, model: str, by: TokenCounter
) -> Reading:
    """Return ``reading`` with what the provider left out counted, and marked as estimated.

    What it did tell stays: its input always, its output where we count less. Whether the call is
    to be charged at all, say after an error, is not decided here.
    """
    if reading.final and reading.source == "provider":
        return reading
    counted = by.count(model, [said.text]) + said.beyond // CHARACTERS_PER_TOKEN
    answer = min(counted, MAX_TOKENS)
    if reading.source == "provider":
        told = reading.tokens
        output = max(told.output, answer - told.output_reasoning)
        return replace(reading, tokens=replace(told, output=output), source="estimated")
    read = by.count(model, prompt.texts) + prompt.counted
    if dialect != "openai-embeddings":
        read += PER_MESSAGE * max(prompt.messages, 1) + PER_ANSWER
    tokens = Tokens(input_uncached=min(read, MAX_TOKENS), output=answer)
    return replace(reading, tokens=tokens, source="estimated")


def _leaves(value: object) -> Iterator[object]:
    """Return the texts and numbers of what the model reads, in no order."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [member for name, member in one.items() if name not in _NO_TEXT]
        elif isinstance(one, list):
            waiting += one
        else:
            yield one


def _messages(turns: object) -> int:
    return sum(isinstance(turn, dict) for turn in turns) if isinstance(turns, list) else 0
