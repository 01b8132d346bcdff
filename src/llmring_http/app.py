"""The web application, given its use cases."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from litestar import Litestar, asgi
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ASGIApp, ControllerRouterHandler

from llmring_core import __version__
from llmring_core.errors import LLMRingError
from llmring_http.callers import SCHEMES, caller_provider
from llmring_http.docs.routes import asset, openapi, redoc, swagger_ui
from llmring_http.frame import framed
from llmring_http.gateway.proxy import Proxy, with_gateway
from llmring_http.guard import guarded
from llmring_http.health.routes import HealthController
from llmring_http.management.auditing import refusals_recorded
from llmring_http.management.routes import management_routes
from llmring_http.metrics import metrics_routes
from llmring_http.options import HttpOptions, Lifespan
from llmring_http.problems import domain_problem, http_problem, unexpected_problem
from llmring_http.receipts.certification import CertificationController
from llmring_http.receipts.keys import key_set, public_key_jwk, public_key_pem, public_keys
from llmring_http.receipts.routes import ReceiptController
from llmring_http.receipts.statements import StatementController
from llmring_http.registry.routes import RegistryController
from llmring_http.transparency.routes import LogController
from llmring_http.usage.ingest import PATH, log_app, shortened
from llmring_http.usage.ingest_many import bulk_routes
from llmring_http.usage.routes import UsageController

HANDLERS: list[ControllerRouterHandler] = [
    HealthController,
    RegistryController,
    UsageController,
    ReceiptController,
    StatementController,
    CertificationController,
    LogController,
    public_key_pem,
    public_key_jwk,
    public_keys,
    key_set,
    openapi,
    swagger_ui,
    redoc,
    asset,
]
CORS_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
CORS_REQUEST_HEADERS = [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "X-API-Key",
    "X-Project-ID",
    "X-Project-Key",
    "X-Request-ID",
    "X-User-ID",
]
CORS_ANSWER_HEADERS = [
    "Age",
    "ETag",
    "Idempotency-Replayed",
    "X-Next-Cursor",
    "X-Registry-Status",
    "X-Request-ID",
]


def create_app(
    use_cases: Mapping[str, Callable[[], Any]],
    options: HttpOptions,
    lifespan: Sequence[Lifespan] = (),
    gateway: Proxy | None = None,
) -> ASGIApp:
    """Build the application; ``use_cases`` maps a handler's parameter name to its value's maker.

    Without a ``gateway`` there is nothing at ``/v1/*``.
    """
    litestar = create_litestar(use_cases, options, lifespan)
    app = guarded(shortened(litestar, _log_app(use_cases, options)), options.max_in_flight)
    if gateway is not None:
        app = with_gateway(app, gateway)
    return framed(
        app,
        options.new_id,
        options.max_body_bytes,
        options.requests,
        options.access_log,
        None if gateway is None else gateway.max_body_bytes,
    )


def create_litestar(
    use_cases: Mapping[str, Callable[[], Any]],
    options: HttpOptions,
    lifespan: Sequence[Lifespan] = (),
) -> Litestar:
    """Build the application without its frame."""
    dependencies = {name: _provide(build) for name, build in use_cases.items()}
    log = asgi(PATH, copy_scope=False)(_log_app(use_cases, options))
    bulk = bulk_routes(
        use_cases["authenticate"](), use_cases["log_batch"](), options.trust_identity_headers
    )
    metrics = []
    if options.metrics is not None:
        metrics = metrics_routes(options.metrics, options.metrics_token)
    management = management_routes(options.management_token, options.project_delete)
    return Litestar(
        [*HANDLERS, log, *bulk, *metrics, management],
        dependencies=dependencies
        | {
            "caller": Provide(caller_provider(options.trust_identity_headers)),
            "database_answers": _provide(lambda: options.database_answers),
            "redis_state": _provide(lambda: options.redis_state),
            "now": _provide(options.clock),
        },
        after_exception=[refusals_recorded(use_cases["record_refusal"]())],
        exception_handlers={
            LLMRingError: domain_problem,
            HTTPException: http_problem,
            Exception: unexpected_problem,
        },
        cors_config=CORSConfig(
            allow_origins=list(options.cors_origins),
            allow_methods=CORS_METHODS,  # type: ignore[arg-type]  # a list is invariant
            allow_headers=CORS_REQUEST_HEADERS,
            expose_headers=CORS_ANSWER_HEADERS,
        ),
        request_max_body_size=None,  # the frame limits it
        lifespan=list(lifespan),
        logging_config=None,
        openapi_config=OpenAPIConfig(
            title="LLMRing Server",
            version=__version__,
            description="Self-hostable LLM model registry and usage ledger.",
            use_handler_docstrings=True,
            components=SCHEMES,
            path="/docs/schema",
            render_plugins=[JsonRenderPlugin()],
        ),
    )


def _provide(build: Callable[[], Any]) -> Provide:
    def provide() -> Any:  # a plain function: Litestar cannot inspect a compiled provider
        return build()

    return Provide(provide, sync_to_thread=False)


def _log_app(use_cases: Mapping[str, Callable[[], Any]], options: HttpOptions) -> ASGIApp:
    authenticate, log_usage = use_cases["authenticate"](), use_cases["log_usage"]()
    return log_app(authenticate, log_usage, options.trust_identity_headers)
