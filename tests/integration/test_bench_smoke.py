"""The benchmark notices what is wrong; ``make bench-smoke`` shows that it runs."""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest
from bench.books import Mismatch, Sums, check
from bench.calls import CacheableCalls, Calls, Streams
from bench.load import HOST, drive, percentile
from bench.processes import empty_server, own_server
from bench.provider import COMPLETION, DONE, FRAMES
from bench.streams import Listener
from bench.traffic import Batches, Repeated, SingleCalls, Unpriced, request

NAME = re.compile(rb'"client_log_id":"([^"]+)"')
QUESTION = request("GET", "/", "key")
TEN = Sums(calls=10, tokens=3000, cost_usd=Decimal("0.5"))
NINE = Sums(calls=9, tokens=2700, cost_usd=Decimal("0.45"))


class TestTheClient:
    def test_counts_every_answer_and_stops_by_itself(self) -> None:
        with empty_server("asgi") as server:
            load = drive(server.port, Repeated([QUESTION]), 4, seconds=30, count=200)

        assert (load.statuses, load.lost, load.answers) == ({200: 200}, 0, 200)
        assert 0 < load.p50_ms <= load.p99_ms

    def test_stops_when_the_time_is_up(self) -> None:
        with empty_server("canned") as server:
            load = drive(server.port, Repeated([QUESTION]), 2, seconds=0.1)

        assert 0.09 < load.seconds < 5

    def test_puts_an_answer_together_that_comes_in_pieces(self) -> None:
        pieces = [b"HTTP/1.1 503 Busy\r\nContent-Le", b"ngth: 4\r\n\r\nbu", b"sy"]
        with _answering(pieces) as port:
            load = drive(port, Repeated([QUESTION]), 1, seconds=30, count=3)

        assert (load.statuses, load.refusals) == ({503: 3}, "503: 3")

    def test_says_when_the_server_cuts_connections(self) -> None:
        with _answering([]) as port, pytest.raises(ConnectionError, match="cut 101"):
            drive(port, Repeated([QUESTION]), 1, seconds=30)

    def test_refuses_prices_that_do_not_come_from_the_registry(self) -> None:
        body = b'{"cost":null,"cost_status":"unpriced"}'
        with (
            _answering(
                [b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body), body]
            ) as port,
            pytest.raises(Unpriced, match="unpriced"),
        ):
            drive(port, SingleCalls(), 1, seconds=30, count=1)


class TestTheProvider:
    """Every answer is compared with what it should be, byte by byte or frame by frame."""

    def test_answers_through_a_bare_pass_through_as_it_does_itself(self) -> None:
        with (
            own_server("provider") as provider,
            own_server("passing", "--to", str(provider.port)) as passing,
        ):
            for port in (provider.port, passing.port):
                calls, streams = Calls("token"), Streams("token")
                drive(port, calls, 2, seconds=30, count=70)
                Listener()(port, streams, 2, seconds=30, count=5)

                assert (calls.acknowledged().calls, streams.acknowledged().calls) == (70, 5)
                assert calls.unanswered == streams.unanswered == 0

    def test_says_when_it_sent_each_frame(self) -> None:
        listener = Listener()
        with own_server("provider") as provider:
            load = listener(provider.port, Streams("token", 6, timed=True), 5, 30, count=5)

        heard = listener.heard
        assert (load.accepted, heard.most_open, heard.open) == (5, 5, 0)
        assert (len(heard.first_ms), heard.pieces) == (5, 35)
        assert 0 < len(heard.delays_ms) <= 30  # those that came while all were open
        assert 0 < heard.delay_p99_ms < load.p99_ms

    def test_tells_its_usage_only_to_those_who_ask(self) -> None:
        asking = b'{"stream":true,"stream_options":{"include_usage":true}}'
        with own_server("provider") as provider:
            _, silent = provider.ask("POST", "/", {}, b'{"stream":true}')
            _, telling = provider.ask("POST", "/", {}, asking)

        assert (silent.count(b"\n\n"), telling.count(b"\n\n")) == (FRAMES + 1, FRAMES + 2)
        assert b'"usage"' not in silent
        assert b'"total_tokens":1380' in telling.split(b"\n\n")[-3]


class TestWhatCallersGet:
    def test_is_not_accepted_with_a_byte_changed(self) -> None:
        changed = COMPLETION.replace(b"paid twice", b"paid Twice")

        with pytest.raises(AssertionError, match="not the provider's"):
            Calls("token").accepted(0, changed)

    @pytest.mark.parametrize("frames", [1, 3])
    def test_is_not_accepted_with_another_number_of_frames(self, frames: int) -> None:
        pieces = [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"]
        pieces += [_chunk(b"data: 1\n\n")] * frames + [_chunk(DONE), b"0\r\n\r\n"]
        with _answering(pieces) as port, pytest.raises(AssertionError, match=f"{frames} of 2"):
            Listener()(port, Streams("token", 2), 1, 30, count=1)

    def test_may_come_in_any_pieces(self) -> None:
        whole = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        whole += _chunk(b'data: {"content":"at 1') + _chunk(b'23"}\n\n' + DONE) + b"0\r\n\r\n"
        listener, streams = Listener(), Streams("token", 1)
        with _answering([whole[at : at + 9] for at in range(0, len(whole), 9)]) as port:
            listener(port, streams, 1, 30, count=2)

        assert streams.acknowledged().calls == len(listener.heard.delays_ms) == 2

    def test_tells_whether_it_comes_from_a_cache(self) -> None:
        calls = CacheableCalls("token")
        for state in (b"hit", b"miss"):
            head = b"HTTP/1.1 200 OK\r\nX-PROXY-CACHE: %b\r\n\r\n" % state
            calls.accepted(calls.next()[0], head + COMPLETION)

        assert (calls.hits, calls.acknowledged().calls) == (1, 2)


class TestBatches:
    def test_name_every_call_once(self) -> None:
        batches = Batches(size=3)
        names = [name for _ in range(50) for name in NAME.findall(batches.next()[1])]

        assert len(set(names)) == len(names) == 150

    def test_count_what_was_accepted(self) -> None:
        batches = Batches(size=2)
        numbers = [batches.next()[0] for _ in range(2)]
        batches.accepted(numbers[0], _batch_answer(accepted=2))

        assert batches.acknowledged().calls == batches.unanswered == 2
        assert batches.acknowledged().cost_usd == Decimal("0.30000000000000000001")

    def test_refuse_a_batch_taken_in_part(self) -> None:
        batches = Batches(size=2)

        with pytest.raises(AssertionError, match="1 of 2"):
            batches.accepted(batches.next()[0], _batch_answer(accepted=1))


class TestTheCount:
    def test_accepts_what_agrees(self) -> None:
        check(TEN, {"records": TEN, "totals": TEN}, unanswered=0)

    @pytest.mark.parametrize("stored", [(NINE, NINE), (TEN, NINE)])
    def test_refuses_what_differs(self, stored: tuple[Sums, Sums]) -> None:
        with pytest.raises(Mismatch, match="9 calls"):
            check(TEN, dict(zip(("records", "totals"), stored, strict=True)), unanswered=0)

    def test_lets_an_unanswered_request_be_stored_or_not(self) -> None:
        check(NINE, {"records": TEN}, unanswered=1)
        check(NINE, {"records": NINE}, unanswered=1)

    def test_never_lets_an_acknowledged_one_be_missing(self) -> None:
        with pytest.raises(Mismatch):
            check(TEN, {"records": NINE}, unanswered=1)


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(value) for value in range(1, 101)]

    assert (percentile(values, 0.5), percentile(values, 0.99)) == (50.0, 99.0)
    assert (percentile([7.0], 0.5), percentile([7.0], 0.99)) == (7.0, 7.0)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _batch_answer(accepted: int) -> bytes:
    results = b'[{"index":0,"log_id":"a","cost":0.1},{"index":1,"cost":0.20000000000000000001}]'
    return b'HTTP/1.1 200 OK\r\n\r\n{"accepted":%d,"results":%s}' % (accepted, results)


@contextmanager
def _answering(pieces: list[bytes]) -> Iterator[int]:
    """A server that answers every request with these pieces, or closes when there are none."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.005)
            if not pieces:
                break
        writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(answer, HOST, 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()
