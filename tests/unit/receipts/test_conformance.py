"""The conformance kit: our verifier says what it must, and OpenSSL says the same of signatures."""

import subprocess
from base64 import urlsafe_b64decode
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from llmring_core.canonical import document_in
from llmring_core.receipts import Evidence, KeyId, PublicKey, checked, pem_of
from llmring_core.receipts.verification import bytes_signed

KIT = Path(__file__).parents[3] / "docs" / "receipts" / "conformance"
MANIFEST = json.decode((KIT / "_manifest.json").read_bytes())
VALID = [case for case in MANIFEST if case["valid"]]
KEYS = [
    PublicKey(
        id=KeyId(key["kid"]),
        raw=urlsafe_b64decode(key["x"] + "="),
        not_before=datetime.fromisoformat(key["created_at"]),
        retired_at=key["retired_at"] and datetime.fromisoformat(key["retired_at"]),
        revoked_at=key["revoked_at"] and datetime.fromisoformat(key["revoked_at"]),
    )
    for key in json.decode((KIT / "_keys.json").read_bytes())
]


def named(case: dict[str, Any]) -> str:
    return str(case["file"])


def test_it_has_every_file_it_names_and_no_other() -> None:
    files = {file.name for file in KIT.iterdir() if not file.name.startswith(("_", "README"))}
    assert files == {case["file"] for case in MANIFEST}
    assert len(files) >= 60


@pytest.mark.parametrize("case", MANIFEST, ids=named)
def test_each_document_gets_its_verdict(case: dict[str, Any]) -> None:
    report = checked(Evidence(document=(KIT / case["file"]).read_bytes(), keys=KEYS))
    assert report.valid is case["valid"], report


@pytest.mark.parametrize("case", VALID, ids=named)
def test_each_good_document_has_its_canonical_bytes(case: dict[str, Any]) -> None:
    _, message = bytes_signed(document_in((KIT / case["file"]).read_bytes()))
    assert message.decode() == case["canonical"]


@pytest.mark.parametrize("forged", [False, True])
@pytest.mark.parametrize("case", VALID, ids=named)
def test_openssl_agrees(case: dict[str, Any], forged: bool, tmp_path: Path) -> None:
    document = document_in((KIT / case["file"]).read_bytes())
    key = next(key for key in KEYS if key.id == document["key_id"])
    message = case["canonical"].encode() + b" " * forged
    signature = urlsafe_b64decode(str(document["signature"]).removeprefix("ed25519:") + "==")
    files = {"message": message, "signature": signature, "key": pem_of(key.raw).encode()}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    words = "openssl pkeyutl -verify -pubin -inkey key -rawin -in message -sigfile signature"
    done = subprocess.run(words.split(), cwd=tmp_path, capture_output=True, check=False)  # noqa: S603
    assert (done.returncode == 0) is not forged
