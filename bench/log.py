"""A transparency log of any size, made in bulk: what the sequencer would write, in seconds."""

from hashlib import sha256
from pathlib import Path
from uuid import UUID

import asyncpg  # type: ignore[import-untyped]

from bench.books import SCHEMA
from llmring_adapters.database import open_engine
from llmring_adapters.system import random_secret
from llmring_adapters.transactions.sql import sql_transactions
from llmring_adapters.transparency.local_key import LocalLogKey
from llmring_app.key_files import seed_in
from llmring_core.transparency import (
    RECEIPT,
    Checkpoint,
    Note,
    Published,
    checkpoint_in,
    leaf_hash,
    note_of,
)
from llmring_core.transparency.tiles import edge_of, grown, hash_of
from llmring_core.transparency.tree import Range

CHUNK = 50_000  # entries of one transaction


async def extended(url: str, key_file: Path, size: int) -> None:
    """Let the log in the database at ``url`` have ``size`` entries."""
    engine = open_engine(url, SCHEMA)
    begin = sql_transactions(engine)
    seed = seed_in(key_file, random_secret)
    connection = await asyncpg.connect(url, server_settings={"search_path": SCHEMA})
    try:
        async with begin() as work:
            newest = await work.log.newest()
        assert newest is not None  # noqa: S101  the server has begun the log
        last = checkpoint_in(note_of(newest.note).text)
        signer = LocalLogKey(last.origin, seed)
        for first in range(last.size, size, CHUNK):
            end = min(first + CHUNK, size)
            entries = [sha256(b"%d" % place).digest() for place in range(first, end)]
            rows = [
                (place, _id(place), RECEIPT, entry) for place, entry in enumerate(entries, first)
            ]
            await connection.copy_records_to_table("log_entries", records=rows)
            async with begin() as work:
                edge = await work.log.tiles(edge_of(first))
                changed = grown(edge.values(), first, [leaf_hash(entry) for entry in entries])
                await work.sequence.put_tiles(changed)
                edge = await work.log.tiles(edge_of(end))
                tiles = edge | {tile.name: tile for tile in changed}
                checkpoint = Checkpoint(
                    origin=last.origin, size=end, root=hash_of(Range(0, end), tiles)
                )
                line = signer.sign(checkpoint.text)
                note = Note(text=checkpoint.text, signatures=(line,))
                await work.sequence.publish(Published(size=end, note=note.signed))
        await connection.execute("VACUUM (ANALYZE) log_entries")
        await connection.execute("VACUUM (ANALYZE) log_tiles")
    finally:
        await connection.close()
        await engine.dispose()


def _id(place: int) -> str:
    return str(UUID(int=place))
