"""What a WitnessBook promises, and what the one in a file stands."""

import asyncio
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from llmring_adapters.transparency.witness_book import MemoryWitnessBook, SqliteWitnessBook
from llmring_core.errors import StoreUnavailable
from llmring_core.transparency import Checkpoint, OtherTree, WitnessBook
from tests.builders.transparency import SIGNER
from tests.builders.witnesses import TREE, asking, witness

ORIGIN = SIGNER.key.name
CONTENDERS = 20


class TestWitnessBook:
    @pytest.fixture(params=["memory", "sqlite"])
    def book(self, request: pytest.FixtureRequest, tmp_path: Path) -> WitnessBook:
        if request.param == "memory":
            return MemoryWitnessBook()
        return SqliteWitnessBook(tmp_path / "state.db")

    async def test_knows_nothing_of_a_log_at_first(self, book: WitnessBook) -> None:
        assert await book.last(ORIGIN) is None

    async def test_keeps_the_last_checkpoint(self, book: WitnessBook) -> None:
        assert await book.advance(None, TREE.checkpoint(5))
        assert await book.advance(TREE.checkpoint(5), TREE.checkpoint(7))
        assert await book.last(ORIGIN) == TREE.checkpoint(7)

    async def test_the_same_checkpoint_may_come_again(self, book: WitnessBook) -> None:
        assert await book.advance(None, TREE.checkpoint(5))
        assert await book.advance(TREE.checkpoint(5), TREE.checkpoint(5))

    @pytest.mark.parametrize(
        "old",
        [
            None,
            TREE.checkpoint(4),
            TREE.checkpoint(6),
            Checkpoint(origin=ORIGIN, size=5, root=bytes(32)),
        ],
    )
    async def test_goes_on_from_nothing_but_the_last(
        self, book: WitnessBook, old: Checkpoint | None
    ) -> None:
        assert await book.advance(None, TREE.checkpoint(5))
        assert not await book.advance(old, TREE.checkpoint(7))
        assert await book.last(ORIGIN) == TREE.checkpoint(5)

    async def test_does_not_go_on_from_what_it_never_had(self, book: WitnessBook) -> None:
        assert not await book.advance(TREE.checkpoint(5), TREE.checkpoint(7))
        assert await book.last(ORIGIN) is None

    async def test_logs_are_kept_apart(self, book: WitnessBook) -> None:
        other = TREE.checkpoint(9, origin="example.com/other")
        assert await book.advance(None, TREE.checkpoint(5))
        assert await book.advance(None, other)
        assert await book.last(ORIGIN) == TREE.checkpoint(5)
        assert await book.last(other.origin) == other

    @pytest.mark.parametrize("old", [None, TREE.checkpoint(5)])
    async def test_of_many_at_once_one_goes_on(
        self, book: WitnessBook, old: Checkpoint | None
    ) -> None:
        if old is not None:
            await book.advance(None, old)
        steps = [TREE.checkpoint(size) for size in range(6, 6 + CONTENDERS)]
        went = await asyncio.gather(*(book.advance(old, step) for step in steps))
        assert went.count(True) == 1
        assert await book.last(ORIGIN) == steps[went.index(True)]

    async def test_of_many_who_ask_a_witness_at_once_one_is_cosigned(
        self, book: WitnessBook
    ) -> None:
        cosign = witness(book)
        answers = await asyncio.gather(
            *(cosign(asking(0, size)) for size in range(1, 1 + CONTENDERS)), return_exceptions=True
        )
        refused = [one for one in answers if isinstance(one, BaseException)]
        assert len(refused) == CONTENDERS - 1
        last = await book.last(ORIGIN)
        assert last is not None
        assert {(type(one), getattr(one, "size", None)) for one in refused} == {
            (OtherTree, last.size)
        }


def advanced(file: Path, old: Checkpoint, new: Checkpoint) -> bool:
    return asyncio.run(SqliteWitnessBook(file).advance(old, new))


class TestSqliteWitnessBook:
    async def test_goes_on_after_a_restart(self, tmp_path: Path) -> None:
        file = tmp_path / "state.db"
        await SqliteWitnessBook(file).advance(None, TREE.checkpoint(5))
        assert await SqliteWitnessBook(file).last(ORIGIN) == TREE.checkpoint(5)

    def test_of_many_processes_one_goes_on(self, tmp_path: Path) -> None:
        file, old = tmp_path / "state.db", TREE.checkpoint(5)
        asyncio.run(SqliteWitnessBook(file).advance(None, old))
        with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
            tries = [
                pool.submit(advanced, file, old, TREE.checkpoint(size))
                for size in range(6, 6 + CONTENDERS)
            ]
            assert [one.result() for one in tries].count(True) == 1

    async def test_what_was_kept_outlives_its_process(self, tmp_path: Path) -> None:
        code = (
            "import asyncio, os, pathlib\n"
            "from tests.contracts.test_witness_book import *\n"
            "book = SqliteWitnessBook(pathlib.Path('state.db'))\n"
            "print(asyncio.run(book.advance(None, TREE.checkpoint(5))), flush=True)\n"
            "os.kill(os.getpid(), 9)\n"
        )
        root = Path(__file__).parents[2]
        done = subprocess.run(  # noqa: S603, ASYNC221  our own words; nothing else runs here
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={"PYTHONPATH": f"{root}:{root / 'src'}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.returncode) == ("True\n", -9), done.stderr
        assert await SqliteWitnessBook(tmp_path / "state.db").last(ORIGIN) == TREE.checkpoint(5)

    @pytest.mark.parametrize("content", [None, b"no database at all " * 100])
    async def test_a_file_that_is_none_is_the_store_being_away(
        self, tmp_path: Path, content: bytes | None
    ) -> None:
        file = tmp_path / "folder" / "state.db"
        if content is not None:
            file.parent.mkdir()
            file.write_bytes(content)
        with pytest.raises(StoreUnavailable):
            await SqliteWitnessBook(file).last(ORIGIN)
        with pytest.raises(StoreUnavailable):
            await SqliteWitnessBook(file).advance(None, TREE.checkpoint(5))
