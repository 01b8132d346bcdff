"""The API's description and two ways to read it, without the internet."""

import gzip
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from litestar import Request, Response, get
from litestar.datastructures.state import State
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from msgspec import json

from llmring_http.docs.openapi import described

ASSETS: Final = Path(__file__).parent / "assets"
MEDIA_TYPES: Final[Mapping[str, str]] = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "redoc.standalone.js": "text/javascript",
    "start-swagger-ui.js": "text/javascript",
}
GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))")
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src data:; connect-src 'self'; worker-src blob:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

SWAGGER_UI = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>LLMRing Server API</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/assets/start-swagger-ui.js"></script></body>
</html>
"""
START_SWAGGER_UI = b"""SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null
});
"""
REDOC = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>LLMRing Server API</title></head>
<body><redoc spec-url="/openapi.json" disable-google-font="true"></redoc>
<script src="/docs/assets/redoc.standalone.js"></script></body>
</html>
"""


@get("/openapi.json", include_in_schema=False)
async def openapi(request: Request[None, None, State]) -> Response[bytes]:
    """Return the OpenAPI document of everything this server answers."""
    document = json.encode(described(request.app.openapi_schema))
    return Response(document, media_type="application/json")


@get("/docs", include_in_schema=False)
async def swagger_ui() -> Response[str]:
    return _page(SWAGGER_UI)


@get("/redoc", include_in_schema=False)
async def redoc() -> Response[str]:
    return _page(REDOC)


@get("/docs/assets/{name:str}", include_in_schema=False)
async def asset(request: Request[None, None, State], name: FromPath[str]) -> Response[bytes]:
    accepted = request.headers.get("Accept-Encoding", "")
    return asset_named(name, GZIP.search(accepted) is not None)


def asset_named(name: str, compressed: bool) -> Response[bytes]:
    """Raises NotFoundException for all but the files that the pages name."""
    if name not in MEDIA_TYPES:
        raise NotFoundException
    headers = {"Cache-Control": "public, max-age=86400", "Vary": "Accept-Encoding"}
    if name == "start-swagger-ui.js":
        return Response(START_SWAGGER_UI, media_type=MEDIA_TYPES[name], headers=headers)
    content = (ASSETS / f"{name}.gz").read_bytes()
    if compressed:
        headers["Content-Encoding"] = "gzip"
    else:
        content = gzip.decompress(content)
    return Response(content, media_type=MEDIA_TYPES[name], headers=headers)


def _page(html: str) -> Response[str]:
    headers = {"Content-Security-Policy": PAGE_POLICY}
    return Response(html, media_type="text/html", headers=headers)
