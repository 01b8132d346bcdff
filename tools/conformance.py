"""Write docs/receipts/conformance: receipts, good and bad, and what a verifier must say of each.

    python tools/conformance.py

The keys are test keys; their seeds are public.
"""

import json
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import rfc8785
from conformance_cases import SEEDS, cases
from nacl.signing import SigningKey

FOLDER = Path(__file__).parents[1] / "docs" / "receipts" / "conformance"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.receipt"):
        old.unlink()
    manifest = []
    for case in cases():
        (FOLDER / f"{case.name}.receipt").write_bytes(case.text)
        expected: dict[str, Any] = {
            "file": f"{case.name}.receipt",
            "valid": case.valid,
            "why": case.why,
        }
        if case.valid:
            members = json.loads(case.text.decode())
            del members["signature"]
            expected["canonical"] = rfc8785.dumps(members).decode()
        manifest.append(expected)
    keys = [
        {
            "kid": name,
            "kty": "OKP",
            "crv": "Ed25519",
            "x": urlsafe_b64encode(bytes(SigningKey(seed).verify_key)).decode().rstrip("="),
            "created_at": "2026-01-01T00:00:00+00:00",
            "retired_at": "2026-11-21T00:00:00+00:00" if name == "retired" else None,
            "revoked_at": "2026-11-20T00:00:00+00:00" if name == "revoked" else None,
        }
        for name, seed in SEEDS.items()
    ]
    for name, content in (("keys", keys), ("manifest", manifest)):
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        (FOLDER / f"_{name}.json").write_text(text)


if __name__ == "__main__":
    main()
