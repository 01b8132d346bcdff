"""``llmring-server receipts``."""

from argparse import Namespace
from base64 import b64decode, urlsafe_b64decode
from binascii import Error as NotBase64
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct, ValidationError, json

from llmring_adapters.registry.bundled import bundled_snapshot
from llmring_app.cli.parsing import Commands, add_command, add_group, add_json, container_of
from llmring_app.cli.printing import print_table
from llmring_app.database import as_it_is, opened
from llmring_app.errors import CannotStart
from llmring_app.key_files import replace_seed
from llmring_app.receipt_keys import key_file
from llmring_core.receipts import BadKey, Evidence, KeyId, PublicKey, checked, key_id_of
from llmring_core.transparency import NoteKey, note_key
from llmring_http.receipts.wire import KeyBody

MAX_FILE = 16 * 1024**2  # bytes
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KEY_BYTES = 32
PEM_BODY = 44  # 12 bytes that say what it is, and the key


class _Key(Struct, frozen=True, kw_only=True):
    x: str
    kid: str | None = None
    created_at: datetime | None = None
    retired_at: datetime | None = None
    revoked_at: datetime | None = None


class _KeySet(Struct, frozen=True, kw_only=True):
    keys: list[_Key]


class _Consistency(Struct, frozen=True, kw_only=True):
    proof: list[str]


def add(commands: Commands) -> None:
    group = add_group(commands, "receipts", "check receipts, and list the keys that sign them")
    verify = add_command(
        group, "verify", "check a receipt or statement offline; exit 1 when it fails", check
    )
    verify.add_argument(
        "file", metavar="FILE", type=Path, help="the receipt or statement, as it was served"
    )
    verify.add_argument(
        "--keys", metavar="FILE", type=Path, required=True, help="public-keys.json, a JWK or PEM"
    )
    verify.add_argument("--proof", metavar="FILE", type=Path, help="its .tlog-proof file")
    verify.add_argument("--log-key", metavar="KEY", help="as /log/public-key shows it")
    verify.add_argument(
        "--witness", metavar="KEY", action="append", default=[], help="who must have cosigned"
    )
    verify.add_argument("--checkpoint", metavar="FILE", type=Path, help="an older checkpoint")
    verify.add_argument(
        "--consistency", metavar="FILE", type=Path, help="/log/consistency from there to the proof"
    )
    verify.add_argument(
        "--registry", metavar="FILE", type=Path, help="registry.json: recompute the cost from it"
    )
    verify.add_argument(
        "--recompute", action="store_true", help="recompute it, without a file from our own prices"
    )
    verify.add_argument(
        "--receipts", metavar="FILE", type=Path, help="all that a statement names, one a line"
    )
    verify.add_argument("--previous", metavar="FILE", type=Path, help="the statement before it")
    audit = add_command(group, "audit", "check every stored receipt; exit 1 on a finding", audited)
    add_json(audit)
    keys = add_group(group, "keys", "the keys that sign receipts")
    add_json(add_command(keys, "list", "list every key that ever signed", list_keys))
    add_command(keys, "export", "print every public key, for `verify --keys`", export_keys)
    add_command(keys, "rotate", "put a new key into the key file; restart the servers", rotate)
    for name, help, run in (
        ("retire", "let a key sign nothing any more", retire),
        ("revoke", "and trust nothing it signs from now on", revoke),
    ):
        add_command(keys, name, help, run).add_argument("id", metavar="KEY")


def check(args: Namespace) -> int:
    """Print one JSON line: the verdict, and every step with its reason."""
    report = checked(
        Evidence(
            document=_content(args.file),
            keys=_keys_in(args.keys),
            proof=_text(args.proof),
            log_key=None if args.log_key is None else note_key(args.log_key),
            witnesses=_witnesses(args.witness),
            older_checkpoint=_text(args.checkpoint),
            consistency=_hashes(args.consistency),
            snapshot=_price_list(args),
            receipts=_lines(args.receipts),
            previous=None if args.previous is None else _content(args.previous),
        )
    )
    print(json.encode(report).decode())
    return 0 if report.valid else 1


async def list_keys(args: Namespace) -> int:
    container = container_of(args)
    async with as_it_is(container):
        keys = await container.list_receipt_keys()()
    rows = [
        {
            "key": key.id,
            "status": key.status,
            "since": key.not_before.isoformat(timespec="seconds"),
        }
        for key in keys
    ]
    if args.json:
        print(json.encode(rows).decode())
    else:
        print_table(["KEY", "STATUS", "SINCE"], [list(row.values()) for row in rows])
    return 0


async def export_keys(args: Namespace) -> int:
    container = container_of(args)
    async with as_it_is(container):
        keys = await container.list_receipt_keys()()
    print(json.encode([KeyBody.of(key) for key in keys]).decode())
    return 0


async def rotate(args: Namespace) -> int:
    container = container_of(args)
    settings = container.settings()
    if settings.receipts_private_key_b64 is not None:
        raise CannotStart("the key comes from the environment; give the servers another one there")
    async with opened(container):
        replace_seed(key_file(settings), container.new_secret()())
        key = await container.adopt_key()()
    print(f"{key.id} is in force, those before it are retired; restart the servers")
    return 0


async def retire(args: Namespace) -> int:
    return await _closed(args, revoke=False)


async def revoke(args: Namespace) -> int:
    return await _closed(args, revoke=True)


async def audited(args: Namespace) -> int:
    """Print what is wrong with stored receipts, if anything is."""
    container = container_of(args)
    checked_so_far, findings = 0, []
    async with as_it_is(container):
        async for looked_at, found in container.audit_receipts()():
            checked_so_far += looked_at
            findings += found
    if args.json:
        outcome = {"receipts": checked_so_far, "findings": findings}
        print(json.encode(outcome).decode())
    else:
        for finding in findings:
            print(f"{finding.receipt} of project {finding.project}: {finding.wrong}")
        print(f"{checked_so_far} receipts checked, {len(findings) or 'nothing'} wrong")
    return 1 if findings else 0


async def _closed(args: Namespace, *, revoke: bool) -> int:
    container = container_of(args)
    async with opened(container):
        key = await container.close_receipt_key()(KeyId(args.id), revoke=revoke)
    print(f"{key.id} is {key.status}")
    return 0


def _content(file: Path) -> bytes:
    """Raises CannotStart when it cannot be read, or is larger than any such file."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_FILE + 1)
    except OSError as error:
        raise CannotStart(f"cannot read {file}: {error.strerror}") from error
    if len(content) > MAX_FILE:
        raise CannotStart(f"{file} is larger than any such file")
    return content


def _price_list(args: Namespace) -> bytes | None:
    """Return the registry version to recompute the cost from, as a server would serve it."""
    if args.registry is not None:
        return _content(args.registry)
    if not args.recompute:
        return None
    ours = bundled_snapshot()
    dated = json.encode({"version": ours.version, "generated_at": ours.published_at})
    return dated[:-1] + b"," + ours.document[1:].encode()


def _lines(file: Path | None) -> list[bytes] | None:
    """Return the lines of a file of any size that are not blank. Raises CannotStart."""
    if file is None:
        return None
    try:
        with file.open("rb") as opened:
            return [line for line in opened if line.strip()]
    except OSError as error:
        raise CannotStart(f"cannot read {file}: {error.strerror}") from error


def _text(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return _content(file).decode()
    except UnicodeDecodeError as error:
        raise CannotStart(f"{file} is no text") from error


def _witnesses(texts: Sequence[str]) -> list[NoteKey]:
    return [note_key(text) for text in texts]


def _hashes(file: Path | None) -> list[bytes] | None:
    if file is None:
        return None
    try:
        found = json.decode(_content(file), type=_Consistency)
        return [b64decode(one, validate=True) for one in found.proof]
    except (ValidationError, ValueError, NotBase64) as error:
        raise CannotStart(f"{file} is no consistency proof") from error


def _keys_in(file: Path) -> list[PublicKey]:
    """Read public keys in any form that they are published in. Raises CannotStart."""
    content = _content(file)
    try:
        if content.startswith(b"-----BEGIN"):
            return [_public_key(_in_pem(content), _Key(x=""))]
        return [_public_key(urlsafe_b64decode(key.x + "=="), key) for key in _listed(content)]
    except (ValueError, NotBase64, BadKey) as error:
        raise CannotStart(f"{file} has no Ed25519 public keys: {error}") from error


def _in_pem(content: bytes) -> bytes:
    lines = content.split()
    body = b64decode(b"".join(lines[3:-3]), validate=True)  # between "BEGIN PUBLIC KEY" and END
    if len(body) != PEM_BODY:
        raise ValueError("it is no Ed25519 key")
    return body[-KEY_BYTES:]


def _listed(content: bytes) -> list[_Key]:
    if content.lstrip().startswith(b"["):
        return json.decode(content, type=list[_Key])
    if b'"keys"' in content:
        return json.decode(content, type=_KeySet).keys
    return [json.decode(content, type=_Key)]


def _public_key(raw: bytes, key: _Key) -> PublicKey:
    return PublicKey(
        id=KeyId(key.kid) if key.kid else key_id_of(raw),
        raw=raw,
        not_before=key.created_at or EPOCH,
        retired_at=key.retired_at,
        revoked_at=key.revoked_at,
    )
