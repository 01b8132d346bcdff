"""The witness's web application, given its use case."""

from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp

from llmring_core.errors import LLMRingError
from llmring_core.ids import NewId
from llmring_core.transparency import CosignCheckpoint, OtherTree
from llmring_http.frame import framed
from llmring_http.guard import guarded
from llmring_http.measures import RequestMeasures
from llmring_http.problems import domain_problem, http_problem, unexpected_problem
from llmring_http.witness.routes import WitnessController, size_there_is

MAX_BODY = 64 * 1024  # bytes
MAX_IN_FLIGHT = 64  # requests


def create_witness(cosign: CosignCheckpoint, new_id: NewId, access_log: bool = False) -> ASGIApp:
    """Build the application; ``new_id`` names requests."""
    app = Litestar(
        [WitnessController],
        dependencies={
            "cosign_checkpoint": Provide(lambda: cosign, sync_to_thread=False),
            "witness_key": Provide(lambda: cosign.signer.key, sync_to_thread=False),
        },
        exception_handlers={
            OtherTree: size_there_is,
            LLMRingError: domain_problem,
            HTTPException: http_problem,
            Exception: unexpected_problem,
        },
        request_max_body_size=None,  # the frame limits it
        logging_config=None,
        openapi_config=None,
    )
    return framed(guarded(app, MAX_IN_FLIGHT), new_id, MAX_BODY, RequestMeasures(), access_log)
