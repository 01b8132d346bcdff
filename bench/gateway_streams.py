"""What the gateway costs where answers come in frames."""

from msgspec import Struct
from msgspec.structs import replace

from bench.calls import Streams
from bench.gateway import NOBODY, counted_calls, gateway, share
from bench.processes import Program, own_server
from bench.provider import FRAMES, INTERVAL_S
from bench.run import Run
from bench.streams import Heard, Listener
from bench.table import Row

BURSTS = 16  # streams at once
SHARE = 0.4  # of the bare pass-through
FEWEST = 5  # frames of a timed stream: so long that all are open at once
FRAME_CPU_US = 60
FIRST_MS = 2.0
MEMORY_MB = 200
DELAY_MS = 50
STRAIGHT = "floor: straight to the provider"
PASSED = "floor: through bare aiohttp"
THROUGH = "through the gateway, PostgreSQL"


def streams(run: Run) -> list[Row]:
    """Many frames at once, and many streams at once."""
    with own_server("provider") as provider:
        straight = _bursts(run, provider, Streams(NOBODY), BURSTS, STRAIGHT)
        alone = _bursts(run, provider, Streams(NOBODY), 1, STRAIGHT)
        undelayed = _open(run, provider, _timed(run, NOBODY), STRAIGHT)
        with own_server("passing", "--to", str(provider.port)) as passing:
            passed = _bursts(run, passing, Streams(NOBODY), BURSTS, PASSED)
            passed_open = _open(run, passing, _timed(run, NOBODY), PASSED)
        with run.database() as url, gateway(url, provider) as served:
            timed, bursts = _timed(run, served.token), Streams(served.token)
            opened = _judged_open(_open(run, served.server, timed, THROUGH), passed_open)
            first = _judged_first(_bursts(run, served.server, bursts, 1, THROUGH), alone)
            burst = _judged(_bursts(run, served.server, bursts, BURSTS, THROUGH), passed)
            books = counted_calls("streams", served, timed, bursts)
    floors = [straight, passed, alone, undelayed, passed_open]
    return [*[floor.row for floor in floors], burst, first, opened, books]


class Showing(Struct, frozen=True, kw_only=True):
    """A row, and what was heard."""

    row: Row
    heard: Heard


def _bursts(run: Run, program: Program, work: Streams, count: int, way: str) -> Showing:
    listener = Listener()
    figure = f"{way}: {FRAMES} frames in a burst, {count} stream{'s' * (count > 1)} at a time"
    row = run.measure(program, work, count, figure, listener)
    heard = listener.heard
    measured = (
        f"{_frames_per_second(row):,.0f} frames/s, {_frame_cpu_us(row):.1f} us CPU each; "
        f"first byte p50 {heard.first_p50_ms:.2f} ms; "
        f"{heard.pieces / max(1, len(heard.first_ms)):.0f} pieces a stream"
    )
    return Showing(row=replace(row, measured=measured), heard=heard)


def _open(run: Run, program: Program, work: Streams, way: str) -> Showing:
    """Open all of them, and keep them open for a stretch."""
    count, listener = run.sizes.streams, Listener()
    figure = f"{way}: {count} open streams, each a frame every {INTERVAL_S * 1000:.0f} ms"
    run.progress(figure)
    before = program.cpu_s()
    load = listener(program.port, work, count, run.sizes.seconds, count)
    heard, frames = listener.heard, max(1, load.accepted) * work.frames
    cpu_s = program.cpu_s() - before
    measured = (
        f"{heard.most_open} open at once, {load.accepted} to their end; frame delay "
        f"p99 {heard.delay_p99_ms:.1f} ms; {cpu_s / frames * 1e6:.0f} us CPU a frame"
    )
    row = Row(
        figure=figure,
        measured=measured,
        load=load,
        cpu_ms=cpu_s / max(load.answers, 1) * 1000,
        rss_mb=program.peak_rss_mb(),
        wrong=load.accepted == 0,
    )
    return Showing(row=row, heard=heard)


def _timed(run: Run, token: str) -> Streams:
    return Streams(token, max(FEWEST, round(run.sizes.seconds / INTERVAL_S)), timed=True)


def _judged(burst: Showing, passed: Showing) -> Row:
    part = share(burst.row, passed.row)
    return replace(
        burst.row,
        target=f"{SHARE} of bare aiohttp, {FRAME_CPU_US} us CPU a frame",
        measured=f"{part:.2f}; {burst.row.measured}",
        reached=part >= SHARE and _frame_cpu_us(burst.row) <= FRAME_CPU_US,
        floor=f"bare aiohttp {passed.row.measured}",
    )


def _judged_first(first: Showing, straight: Showing) -> Row:
    added = first.heard.first_p50_ms - straight.heard.first_p50_ms
    return replace(
        first.row,
        target=f"first byte {FIRST_MS:g} ms later than direct",
        measured=f"{added:.2f} ms later; {first.row.measured}",
        reached=added < FIRST_MS,
        floor=f"direct {straight.row.measured}",
    )


def _judged_open(opened: Showing, passed: Showing) -> Row:
    row = opened.row
    assert row.load is not None  # noqa: S101  measured rows have one
    kept = opened.heard.most_open == row.load.accepted == row.load.connections
    few_mb = (row.rss_mb or 0) < MEMORY_MB
    return replace(
        row,
        target=f"all kept, {MEMORY_MB} MB, frame delay p99 {DELAY_MS} ms",
        reached=kept and few_mb and opened.heard.delay_p99_ms < DELAY_MS,
        floor=f"bare aiohttp {passed.row.measured}",
    )


def _frames_per_second(row: Row) -> float:
    return FRAMES * row.load.per_second if row.load else 0.0


def _frame_cpu_us(row: Row) -> float:
    return (row.cpu_ms or 0.0) * 1000 / FRAMES
