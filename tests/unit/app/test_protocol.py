"""Answers leave in one piece, and never stay behind."""

import asyncio

from llmring_app.protocol import JoiningTransport


class Recorded(asyncio.Transport):
    """A transport that keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def joining_into(sent: Recorded) -> JoiningTransport:
    return JoiningTransport(sent, asyncio.get_running_loop(), is_receiving=lambda: False)


async def test_a_head_and_its_body_leave_together() -> None:
    sent = Recorded()
    joining = joining_into(sent)
    joining.write(b"head")
    joining.write(b"body")
    assert sent.writes == [b"headbody"]


async def test_a_head_whose_body_takes_long_does_not_wait_for_it() -> None:
    sent = Recorded()
    joining = joining_into(sent)
    joining.write(b"head")
    await asyncio.sleep(0)
    assert sent.writes == [b"head"]


async def test_the_parts_of_a_stream_leave_in_order() -> None:
    sent = Recorded()
    joining = joining_into(sent)
    for part in (b"1", b"2", b"3", b"", b"4", b"5"):
        joining.write(part)
    await asyncio.sleep(0)
    assert b"".join(sent.writes) == b"12345"


async def test_what_is_held_leaves_before_the_connection_closes() -> None:
    sent = Recorded()
    joining = joining_into(sent)
    joining.write(b"last words")
    joining.close()
    assert sent.writes == [b"last words"]
    assert sent.closed


async def test_nothing_is_written_to_who_has_left() -> None:
    sent = Recorded()
    joining = joining_into(sent)
    joining.write(b"head")
    sent.close()
    joining.write(b"body")
    joining.write(b"more")
    await asyncio.sleep(0)
    assert sent.writes == []
