"""Managing the gateway's cache: a part of the management API."""

from typing import Final

from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_200_OK

from llmring_core.errors import InvalidField
from llmring_core.gateway.auditing import Origin
from llmring_core.gateway.caching import (
    BadPurgePrefix,
    BadPurgeUrl,
    CacheUnavailable,
    CachingDisabled,
    NothingNamed,
)
from llmring_core.gateway.manage_cache import PurgeAnswers
from llmring_http.decoding import AnyRequest, decode_body
from llmring_http.management.access import READ
from llmring_http.management.cache_wire import PurgeBody, PurgedBody
from llmring_http.management.problems import documented
from llmring_http.origins import ACTION
from llmring_http.problems import Unprocessable

REFUSALS: Final = (
    *READ,
    CacheUnavailable,
    Unprocessable,
    InvalidField,
    CachingDisabled,
    NothingNamed,
    BadPurgeUrl,
    BadPurgePrefix,
)
UNCHECKED: Final = None  # clients of such gateways send JSON under any content type


class CacheController(Controller):
    path = "/cache"
    tags = ["management"]

    @post(
        "/purge",
        status_code=HTTP_200_OK,
        opt={ACTION: "cache.purge"},
        responses=documented(*REFUSALS),
    )
    async def purge(
        self,
        request: AnyRequest,
        origin: NamedDependency[Origin],
        purge_answers: NamedDependency[PurgeAnswers],
    ) -> PurgedBody:
        """Forget the stored answers of a URL, in all variants, or those a prefix stands for."""
        wanted = decode_body(await request.body(), UNCHECKED, PurgeBody).wanted()
        return PurgedBody.of(wanted, await purge_answers(wanted, origin))
