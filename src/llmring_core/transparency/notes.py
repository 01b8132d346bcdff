"""Rule: a signed note, which is how a log states its size and root, and a witness that it saw it.

Source: C2SP signed-note and tlog-cosignature, Ed25519 only.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from msgspec import Struct
from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

from llmring_core.transparency.errors import BadNote

SIGNED: Final = b"\x01"  # by whoever wrote the note
COSIGNED: Final = b"\x04"  # by a witness, with the time it did
MAX_SIGNATURES = 64
MAX_NOTE = 64 * 1024  # characters

_NAME = re.compile(r"[^\s+]+")
_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class NoteKey(Struct, frozen=True, kw_only=True):
    """A key that is known to sign notes, under its name."""

    name: str
    kind: bytes  # SIGNED or COSIGNED
    public_key: bytes  # 32 bytes, Ed25519

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BadNote("a key's name must have no blanks and no plus")

    @property
    def id(self) -> bytes:
        """Return the 4 bytes that tell this key from others of its name."""
        named = self.name.encode() + b"\n" + self.kind + self.public_key
        return sha256(named).digest()[:4]

    @property
    def text(self) -> str:
        """Return the key as people pass it on: ``name+id+key``."""
        return f"{self.name}+{self.id.hex()}+{b64encode(self.kind + self.public_key).decode()}"


class SignatureLine(Struct, frozen=True, kw_only=True):
    name: str
    key_id: bytes  # 4 bytes
    signature: bytes

    @property
    def text(self) -> str:
        return f"— {self.name} {b64encode(self.key_id + self.signature).decode()}\n"


class Note(Struct, frozen=True, kw_only=True):
    """A text that ends with a line feed, and who signed it."""

    text: str
    signatures: tuple[SignatureLine, ...]

    @property
    def signed(self) -> str:
        """Return text and signatures, as they are published."""
        return f"{self.text}\n{''.join(line.text for line in self.signatures)}"


def note_key(text: str) -> NoteKey:
    """Read a key as people pass it on. Raises BadNote."""
    name, _, rest = text.strip().partition("+")
    id, _, encoded = rest.partition("+")
    material = _decoded(encoded)
    if material[:1] not in (SIGNED, COSIGNED) or len(material) != 33:
        raise BadNote("a verifier key must be an Ed25519 key")
    key = NoteKey(name=name, kind=material[:1], public_key=material[1:])
    if key.id.hex() != id:
        raise BadNote("a verifier key's id does not belong to it")
    return key


def note_of(signed: str) -> Note:
    """Read a published note, whoever signed it. Raises BadNote."""
    text, blank, lines = signed.rpartition("\n\n")
    if not blank or not lines.endswith("\n") or len(signed) > MAX_NOTE or _CONTROL.search(signed):
        raise BadNote("a note must be a text, a blank line and signatures")
    found = [_LINE.fullmatch(line) for line in lines.splitlines()]
    if len(found) > MAX_SIGNATURES:
        raise BadNote(f"a note must have at most {MAX_SIGNATURES} signatures")
    signatures = []
    for match in found:
        raw = _decoded(match[2]) if match else b""
        if match is None or len(raw) < 5:
            raise BadNote("a note's signature line is malformed")
        signatures.append(SignatureLine(name=match[1], key_id=raw[:4], signature=raw[4:]))
    return Note(text=text + "\n", signatures=tuple(signatures))


def signature_of(text: str, name: str, seed: bytes) -> SignatureLine:
    """Sign ``text`` under ``name`` with a 32-byte Ed25519 seed."""
    key = SigningKey(seed)
    known = NoteKey(name=name, kind=SIGNED, public_key=bytes(key.verify_key))
    signature = key.sign(text.encode()).signature
    return SignatureLine(name=name, key_id=known.id, signature=signature)


def cosignature_of(text: str, name: str, seed: bytes, time_s: int) -> SignatureLine:
    """Sign, as a witness, that ``text`` was the newest checkpoint seen at ``time_s`` (POSIX)."""
    key = SigningKey(seed)
    known = NoteKey(name=name, kind=COSIGNED, public_key=bytes(key.verify_key))
    signature = key.sign(_cosigned_bytes(text, time_s)).signature
    stamped = time_s.to_bytes(8, "big") + signature
    return SignatureLine(name=name, key_id=known.id, signature=stamped)


def signers_of(note: Note, known: Sequence[NoteKey]) -> list[NoteKey]:
    """Return those of the ``known`` keys that signed; lines of others are ignored.

    Raises: BadNote when a line that claims one of them does not verify.
    """
    signers = []
    for line in note.signatures:
        for key in known:
            if (line.name, line.key_id) == (key.name, key.id):
                _check(note.text, line, key)
                if key not in signers:
                    signers.append(key)
    return signers


def _check(text: str, line: SignatureLine, key: NoteKey) -> None:
    message, signature = text.encode(), line.signature
    if key.kind == COSIGNED:
        message = _cosigned_bytes(text, int.from_bytes(signature[:8], "big"))
        signature = signature[8:]
    try:
        VerifyKey(key.public_key).verify(message, signature)
    except (CryptoError, ValueError) as error:
        raise BadNote(f"the signature of {key.name} is wrong") from error


def _cosigned_bytes(text: str, time_s: int) -> bytes:
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def _decoded(encoded: str) -> bytes:
    try:
        raw = b64decode(encoded, validate=True)
    except (NotBase64, ValueError) as error:
        raise BadNote("a note has malformed base64") from error
    if b64encode(raw).decode() != encoded:
        raise BadNote("a note has base64 that is spelt in an unusual way")
    return raw
