"""Events are set up under our own names and those of other gateways, and written to the last."""

import asyncio
from pathlib import Path

import pytest

from llmring_app.choices import event_bus_of, event_file_of, excerpt_limits_of
from llmring_app.container import Container
from llmring_app.event_log import events_kept
from llmring_app.settings import Settings
from llmring_core.gateway.events import ExcerptLimits
from tests.builders.events import an_event, events

NO_FILE = Path("/nonexistent/.env")


def test_names_of_other_gateways_are_read() -> None:
    settings = Settings.read(
        {
            "OBSERVABILITY_ENABLED": "false",
            "OBSERVABILITY_BUFFER_SIZE": "7",
            "OBSERVABILITY_MAX_REQUEST_BODY_BYTES": "0",
            "OBSERVABILITY_MAX_RESPONSE_BODY_BYTES": "9",
            "FILE_EVENT_LOG": "events.jsonl",
        },
        NO_FILE,
    )

    assert settings == Settings(
        observability_enabled=False,
        observability_buffer_size=7,
        observability_max_request_body_bytes=0,
        observability_max_response_body_bytes=9,
        file_event_log="events.jsonl",
    )


def test_the_limits_of_bodies_are_those_of_the_settings() -> None:
    limits = excerpt_limits_of(Settings(observability_max_request_body_bytes=7))

    assert limits == ExcerptLimits(request_bytes=7, response_bytes=262_144)


async def test_as_many_events_wait_as_the_settings_say() -> None:
    bus = event_bus_of(Settings(observability_buffer_size=2))
    listening = bus.subscribe("a")
    for event in events(3):
        bus.publish(event)

    assert listening.waiting == 2


def test_switched_off_no_file_is_made(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"

    settings = Settings(file_event_log=str(file), observability_enabled=False)

    assert event_file_of(settings) is None and not file.exists()


async def test_what_waits_in_the_end_is_written(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    container = Container(settings=Settings(file_event_log=str(file)))

    async with events_kept(container):
        for event in events(500):
            container.events().publish(event)

    assert not container.events().is_heard
    assert container.event_file().written == file.read_bytes().count(b"\n") == 500


async def test_an_event_that_cannot_be_written_does_not_end_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "events.jsonl"
    container = Container(settings=Settings(file_event_log=str(file)))

    async with events_kept(container):
        container.events().publish(an_event(path="\ud800"))  # half a character is no text
        await asyncio.sleep(0)  # so that it is taken by itself
        container.events().publish(an_event())

    assert file.read_bytes().count(b"\n") == container.event_file().lost == 1
    assert "events were not written" in caplog.text
