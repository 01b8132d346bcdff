"""The bus of one process: nobody waits for it, and what it drops it counts."""

import asyncio
from typing import Any

import pytest

from llmring_adapters.gateway.events_memory import MemoryEventBus, Subscription
from tests.builders.events import an_event, events

SOON = 0.01  # seconds, for what is to take too long


async def all_of(subscription: Subscription) -> list[str]:
    """Return the ids of everything that comes, and leave at the end."""
    found = []
    while taken := await subscription.take(2):
        found += [event.request_id for event in taken]
    subscription.leave()
    return found


def counted(bus: MemoryEventBus, name: str) -> tuple[int, int]:
    return bus.counts[name].taken, bus.counts[name].dropped


async def test_without_a_listener_nothing_is_told_or_counted() -> None:
    bus = MemoryEventBus()

    bus.publish(an_event())

    assert not bus.is_heard and bus.published == 0


async def test_switched_off_nothing_is_told_to_anybody() -> None:
    bus = MemoryEventBus(is_on=False)
    listening = bus.subscribe("a")

    bus.publish(an_event())

    assert not bus.is_heard and bus.published == 0 and listening.waiting == 0


async def test_every_listener_gets_everything_in_its_order() -> None:
    bus = MemoryEventBus()
    first, second = asyncio.create_task(all_of(bus.subscribe("a"))), bus.subscribe("b")
    await asyncio.sleep(0)  # so that one waits already

    for event in events(5):
        bus.publish(event)
    other = asyncio.create_task(all_of(second))
    async with asyncio.timeout(10):
        await bus.close(within_s=1000)

    assert await first == await other == [f"r-{n}" for n in range(5)]
    assert bus.published == 5 and not bus.is_heard
    assert counted(bus, "a") == counted(bus, "b") == (5, 0)


async def test_a_slow_listener_costs_only_itself() -> None:
    bus = MemoryEventBus(max_events=3)
    slow, quick = bus.subscribe("slow"), bus.subscribe("quick")

    for event in events(5):
        bus.publish(event)
        await quick.take(1)

    assert bus.waiting == {"slow": 3, "quick": 0}
    assert [event.request_id for event in await slow.take(9)] == ["r-0", "r-1", "r-2"]
    assert counted(bus, "slow") == (3, 2) and counted(bus, "quick") == (5, 0)


@pytest.mark.parametrize(
    "large", [{"request_body": b"x" * 6}, {"response_body": b"x" * 6}, {"model": "x" * 6}]
)
async def test_bodies_that_wait_have_a_bound_and_leave_room_when_taken(large: Any) -> None:
    bus = MemoryEventBus(max_bytes=10)
    listening = bus.subscribe("a")
    large = an_event(**large)

    for _ in range(2):
        bus.publish(large)
        bus.publish(large)  # too much
        assert await listening.take(9) == [large]

    assert counted(bus, "a") == (2, 2)


async def test_a_listener_who_hangs_is_not_waited_for() -> None:
    bus = MemoryEventBus()
    hanging = bus.subscribe("a")
    for event in events(3):
        bus.publish(event)
    await hanging.take(1)

    await bus.close(within_s=SOON)
    bus.publish(an_event())

    assert counted(bus, "a") == (1, 3)
    assert await hanging.take(9) == []


async def test_who_left_is_told_nothing_and_may_come_back() -> None:
    bus = MemoryEventBus()
    listening = bus.subscribe("a")
    bus.publish(an_event())
    listening.leave()
    bus.publish(an_event())

    again = bus.subscribe("a")

    assert again.waiting == 0 and counted(bus, "a") == (0, 1)


async def test_two_listeners_have_two_names() -> None:
    bus = MemoryEventBus()
    bus.subscribe("a")

    with pytest.raises(ValueError, match="somebody listens as a already"):
        bus.subscribe("a")


async def test_closing_without_listeners_ends_at_once() -> None:
    async with asyncio.timeout(10):
        await MemoryEventBus().close(within_s=1000)
