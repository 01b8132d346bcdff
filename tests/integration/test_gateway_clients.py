"""The clients of OpenAI and Anthropic work through the gateway as they do without it.

They are told nothing but another address and a token, and read answers, streams, calls of tools and
errors as those of their provider.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest
import pytest_asyncio
from httpx2 import HTTPError  # what both clients are built on
from openai.types.chat import ChatCompletionToolParam

from tests.integration import speaking
from tests.integration.server import running
from tests.integration.speaking import Used, streamed
from tests.integration.teams import KEYS, Team, settings, team
from tests.integration.upstream import ScriptedUpstream, always, upstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

USED = Used(input=1000, cached=100, output=200, reasoning=50)
MODEL = "gpt-4.1"
CLAUDE: Any = {"model": "claude-any", "max_tokens": 9, "messages": []}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL: ChatCompletionToolParam = {
    "type": "function",
    "function": {"name": "weather", "parameters": {**SCHEMA}},
}
ARGUMENTS = '{"city": "Zürich"}'


@dataclass(frozen=True, slots=True)
class Both:
    """The clients, and the provider behind the gateway."""

    team: Team
    provider: ScriptedUpstream
    openai: openai.AsyncOpenAI
    anthropic: anthropic.AsyncAnthropic

    def answers(self, *pieces: bytes) -> None:
        self.provider.sent.clear()
        self.provider.answer = always(*pieces)

    async def latest(self) -> dict[str, Any]:
        rows = await asyncio.to_thread(self.team.rows)
        return rows[0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    folder = tmp_path_factory.mktemp("clients")
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(upstream(always()))
        used = settings(folder, provider.url)
        server = stack.enter_context(running(folder, **used))
        ours = team(server, used)
        told: Any = {"api_key": ours.token, "max_retries": 0}
        url = server.url
        a = await stack.enter_async_context(openai.AsyncOpenAI(base_url=f"{url}/v1", **told))
        b = await stack.enter_async_context(anthropic.AsyncAnthropic(base_url=url, **told))
        yield Both(ours, provider, a, b)


def billed(row: dict[str, Any]) -> Used:
    names = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")
    return Used(*(row[name] for name in names))


async def test_openai_reads_an_answer_and_a_call_of_a_tool(both: Both) -> None:
    function = {"name": "weather", "arguments": ARGUMENTS}
    call = {"id": "t", "type": "function", "function": function}
    both.answers(speaking.chat(USED, content=None, tool_calls=[call]))

    answer = await both.openai.chat.completions.create(model=MODEL, messages=[], tools=[TOOL])

    calls = answer.choices[0].message.tool_calls or []
    assert [one.model_dump()["function"] for one in calls] == [function]
    assert answer.usage is not None and answer.usage.total_tokens == 1200
    assert billed(await both.latest()) == USED
    assert both.provider.sent[0].header("authorization") == [f"Bearer {KEYS['openai']}"]


@pytest.mark.parametrize("asks", [False, True])
async def test_openai_streams_text_and_a_call_of_a_tool(both: Both, asks: bool) -> None:
    begun = {"index": 0, "id": "t", "function": {"name": "weather", "arguments": ""}}
    pieces = [
        {"index": 0, "function": {"arguments": one}} for one in (ARGUMENTS[:7], ARGUMENTS[7:])
    ]
    deltas = [{"content": "So:"}, *({"tool_calls": [one]} for one in (begun, *pieces))]
    both.answers(streamed(speaking.chat_events(USED, *deltas)))

    wanted: Any = {"stream_options": {"include_usage": True}} if asks else {}
    stream = await both.openai.chat.completions.create(
        model=MODEL, messages=[], tools=[TOOL], stream=True, **wanted
    )
    parts = [part async for part in stream]

    said = [part.choices[0].delta for part in parts if part.choices]
    arguments = [
        call.function.arguments for one in said for call in one.tool_calls or [] if call.function
    ]
    assert said[0].content == "So:"
    assert "".join(one or "" for one in arguments) == ARGUMENTS
    assert [part.usage is not None for part in parts if not part.choices] == (
        [True] if asks else []
    )
    assert billed(await both.latest()) == USED


async def test_openai_reads_responses_and_embeddings(both: Both) -> None:
    both.answers(speaking.responses(USED))
    whole = await both.openai.responses.create(model=MODEL, input="Hi")
    row = await both.latest()
    both.answers(streamed(speaking.responses_events(USED)))
    stream = await both.openai.responses.create(model=MODEL, input="Hi", stream=True)
    kinds = [part.type async for part in stream]
    streamed_row = await both.latest()
    both.answers(speaking.embeddings(Used(7)))
    embedded = await both.openai.embeddings.create(
        model="text-embedding-3-small", input="Hi", encoding_format="float"
    )

    assert whole.usage is not None and whole.usage.input_tokens == 1000
    assert kinds[-1] == "response.completed"
    assert billed(row) == billed(streamed_row) == USED
    assert embedded.data[0].embedding == [0.25, -1e-9]
    assert billed(await both.latest()) == Used(7)


async def test_anthropic_reads_an_answer_and_a_use_of_a_tool(both: Both) -> None:
    use = {"type": "tool_use", "id": "t", "name": "weather", "input": {"city": "Zürich"}}
    both.answers(speaking.messages(USED, use))

    tools: Any = [{"name": "weather", "input_schema": SCHEMA}]
    answer = await both.anthropic.messages.create(**CLAUDE, tools=tools)

    [sent] = both.provider.sent
    assert answer.content[0].model_dump()["input"] == {"city": "Zürich"}
    assert answer.usage.cache_read_input_tokens == 100
    assert billed(await both.latest()) == USED
    assert (sent.header("x-api-key"), sent.header("authorization")) == ([KEYS["anthropic"]], [])
    assert len(sent.header("anthropic-version")) == 1


async def test_anthropic_streams_text(both: Both) -> None:
    deltas = [{"type": "text_delta", "text": text} for text in ("Grüezi ", "mitenand")]
    both.answers(streamed(speaking.messages_events(USED, *deltas)))

    async with both.anthropic.messages.stream(**CLAUDE) as stream:
        said = "".join([text async for text in stream.text_stream])
        message = await stream.get_final_message()

    assert said == "Grüezi mitenand"
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 200)
    assert billed(await both.latest()) == USED


async def test_anthropic_streams_a_use_of_a_tool(both: Both) -> None:
    pieces = (ARGUMENTS[:7], ARGUMENTS[7:])
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    block = {"type": "tool_use", "id": "t", "name": "weather", "input": {}}
    both.answers(streamed(speaking.messages_events(USED, *deltas, **block)))

    async with both.anthropic.messages.stream(**CLAUDE) as stream:
        message = await stream.get_final_message()

    assert message.content[0].model_dump()["input"] == {"city": "Zürich"}


ERRORS = {
    "400": (b"400 Bad Request", "BadRequestError"),
    "401": (b"401 Unauthorized", "AuthenticationError"),
    "429": (b"429 Too Many Requests", "RateLimitError"),
    "500": (b"500 Internal Server Error", "InternalServerError"),
    "529": (b"529 Overloaded", "InternalServerError"),
}


@pytest.mark.parametrize("case", ERRORS)
async def test_errors_of_a_provider_are_what_its_client_makes_of_them(
    both: Both, case: str
) -> None:
    status, name = ERRORS[case]
    both.answers(speaking.refusal(status, "a_kind", b"Retry-After: 7"))

    with pytest.raises(getattr(openai, name)) as of_openai:
        await both.openai.chat.completions.create(model=MODEL, messages=[])
    with pytest.raises(anthropic.APIStatusError) as of_anthropic:
        await both.anthropic.messages.create(**CLAUDE)

    rows = (await asyncio.to_thread(both.team.rows))[:2]
    for error in (of_openai.value, of_anthropic.value):
        assert str(error.status_code) == case
        assert error.response.headers["retry-after"] == "7"
        assert "as the provider has it" in error.message
        assert "x-llmring-error" not in error.response.headers
    assert {row["attempt_status"] for row in rows} == {"upstream_error"}
    both.answers(speaking.chat(USED))  # else the provider would be left alone for a while
    await both.openai.chat.completions.create(model=MODEL, messages=[])
    both.answers(speaking.messages(USED))
    await both.anthropic.messages.create(**CLAUDE)


async def test_a_client_that_tries_again_is_recorded_each_time(both: Both) -> None:
    slow_down = speaking.refusal(b"429 Too Many Requests", "rate_limited", b"Retry-After-Ms: 1")
    answers = iter([slow_down, speaking.chat(USED)])

    async def answer(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(next(answers))

    both.provider.answer = answer
    patient = both.openai.with_options(max_retries=1)
    await patient.chat.completions.create(model=MODEL, messages=[])

    second, first, *_ = await asyncio.to_thread(both.team.rows)
    assert (first["attempt_status"], second["attempt_status"]) == ("upstream_error", "complete")
    assert first["usage_source"] == "missing"
    assert billed(second) == USED


async def test_a_stream_that_breaks_off_is_an_error_to_both(both: Both) -> None:
    texts = [{"content": "a"}, {"content": "b"}]
    begun = streamed(speaking.chat_events(USED, *texts)).partition(b'"b"')[0]
    deltas = [{"type": "text_delta", "text": text} for text in "ab"]
    other = streamed(speaking.messages_events(USED, *deltas)).partition(b'"b"')[0]

    both.provider.answer = always(begun, cut=True)
    with pytest.raises((openai.APIError, HTTPError)):
        async for _ in await both.openai.chat.completions.create(
            model=MODEL, messages=[], stream=True
        ):
            pass
    both.provider.answer = always(other, cut=True)
    with pytest.raises((anthropic.APIError, HTTPError)):
        async with both.anthropic.messages.stream(**CLAUDE) as stream:
            await stream.get_final_message()

    rows = (await asyncio.to_thread(both.team.rows))[:2]
    assert {row["attempt_status"] for row in rows} == {"truncated"}


async def test_a_refusal_of_ours_is_read_like_one_of_the_provider(both: Both) -> None:
    told: Any = {"api_key": "sk-" + "x" * 43}
    with pytest.raises(openai.AuthenticationError) as of_openai:
        await both.openai.with_options(**told).chat.completions.create(model=MODEL, messages=[])
    with pytest.raises(anthropic.AuthenticationError) as of_anthropic:
        await both.anthropic.with_options(**told).messages.create(**CLAUDE)
    with pytest.raises(openai.NotFoundError) as nowhere:
        await both.openai.moderations.create(input="Hi")

    assert (of_openai.value.code, nowhere.value.code) == ("token_not_found", "endpoint_not_found")
    assert "token" in of_anthropic.value.message.lower()
