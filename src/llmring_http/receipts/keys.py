"""The public keys of receipts, in every form and place that earlier servers had them. Public."""

from collections.abc import Sequence
from typing import Final

from litestar import Response, get
from litestar.di import NamedDependency

from llmring_core.errors import StoreUnavailable
from llmring_core.receipts import CannotSign, ListKeys, PublicKey, jwk_of, pem_of
from llmring_http.problems import documented
from llmring_http.receipts.wire import KeyBody, KeyList

TAGS: Final = ["receipts"]
ERRORS: Final = documented(CannotSign, StoreUnavailable)
PEM_TYPE: Final = "application/x-pem-file"


@get(["/receipts/public-key.pem", "/api/v1/receipts/public-key.pem"], tags=TAGS, responses=ERRORS)
async def public_key_pem(list_receipt_keys: NamedDependency[ListKeys]) -> Response[str]:
    """Return the key in force as PEM (SubjectPublicKeyInfo)."""
    key = _current(await list_receipt_keys())
    return Response(pem_of(key.raw), media_type=PEM_TYPE)


@get("/receipts/public-key.jwk", tags=TAGS, responses=ERRORS)
async def public_key_jwk(list_receipt_keys: NamedDependency[ListKeys]) -> dict[str, str]:
    """Return the key in force as a JSON Web Key."""
    key = _current(await list_receipt_keys())
    return jwk_of(key.raw) | {"kid": key.id}


@get("/receipts/public-keys.json", tags=TAGS, responses=ERRORS)
async def public_keys(list_receipt_keys: NamedDependency[ListKeys]) -> list[KeyBody]:
    """Return every key that ever signed, with its dates."""
    return [KeyBody.of(key) for key in await list_receipt_keys()]


@get(["/api/v1/receipts/public-keys.json", "/.well-known/jwks.json"], tags=TAGS, responses=ERRORS)
async def key_set(list_receipt_keys: NamedDependency[ListKeys]) -> KeyList:
    """Return every key that ever signed, as a JSON Web Key Set."""
    keys = await list_receipt_keys()
    current = next((key.id for key in keys if key.status == "active"), None)
    return KeyList(keys=[KeyBody.of(key) for key in keys], current_key_id=current)


def _current(keys: Sequence[PublicKey]) -> PublicKey:
    for key in keys:
        if key.status == "active":
            return key
    raise CannotSign("no key is in force")
