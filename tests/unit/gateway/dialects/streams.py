"""Answers in the shapes that providers send them, and what each is to be read as."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec import json

from llmring_core.gateway.dialects import Frame, Frames, JsonItems, Reading, SseFrames, UsageMeter

FOLDER = Path(__file__).parents[3] / "vectors" / "streams"
EXPECTED: list[dict[str, Any]] = json.decode((FOLDER / "expected.json").read_bytes())
CASES = {case["file"]: case for case in EXPECTED}
STREAMS = {name: case for name, case in CASES.items() if case["framing"] != "body"}
EVENTS = {name: case for name, case in CASES.items() if case["framing"] == "sse"}


def bytes_of(case: dict[str, Any]) -> bytes:
    return (FOLDER / case["file"]).read_bytes()


def cutter(case: dict[str, Any]) -> Frames:
    return JsonItems() if case["framing"] == "items" else SseFrames()


def cut(frames: Frames, chunks: Iterable[bytes]) -> list[Frame]:
    found = [frame for chunk in chunks for frame in frames.feed(chunk)]
    return found + frames.finish()


def metered(case: dict[str, Any], chunks: Iterable[bytes]) -> UsageMeter:
    meter = UsageMeter(case["dialect"])
    for frame in cut(cutter(case), chunks):
        meter.frame(frame)
    return meter


def expected(case: dict[str, Any]) -> Reading:
    facts = {name: case[name] for name in Reading.__struct_fields__}
    return json.decode(json.encode(facts), type=Reading)
