"""The witness process: a server of its own, which needs neither database nor container."""

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path

from uvicorn import Server

from llmring_adapters.system import time_ordered_id, utc_now
from llmring_adapters.transparency.witness_book import SqliteWitnessBook
from llmring_app.server import address_of, web_config
from llmring_app.settings import Settings
from llmring_core import __version__
from llmring_core.transparency import CosignCheckpoint, NoteKey, WitnessSigner
from llmring_http.witness.app import create_witness


def witness_of(logs: Sequence[NoteKey], state: Path, signer: WitnessSigner) -> CosignCheckpoint:
    """Return a witness of ``logs``, once its state can be read. Raises StoreUnavailable."""
    book = SqliteWitnessBook(state)
    asyncio.run(book.last(logs[0].name))
    return CosignCheckpoint(logs, book, signer, utc_now)


def witnessing(listener: socket.socket, settings: Settings, cosign: CosignCheckpoint) -> int:
    """Serve until the process is asked to stop, and return the exit code."""
    app = create_witness(cosign, time_ordered_id, settings.access_log)
    Server(web_config(app, settings)).run(sockets=[listener])
    return 0


def witness_greeting(listener: socket.socket, cosign: CosignCheckpoint) -> str:
    """Return what to tell whoever started the witness."""
    address, key = address_of(listener), cosign.signer.key.text
    watched = "\n".join(f"Watches:  {name}" for name in sorted({log.name for log in cosign.logs}))
    return f"""\
LLMRing Witness {__version__} on {address}
{watched}
The server that it watches is told of it by
  LLMRING_WITNESSES={address}={key}
"""
