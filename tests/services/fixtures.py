"""The fixtures: a test that asks for one gets a real server, or is skipped with the reason."""

from collections.abc import Iterator

import pytest

from tests.services.postgres import new_database, postgres
from tests.services.redis import flush, redis
from tests.services.search import skip_when_unavailable


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a server on which databases may be created; see ``new_database``."""
    with skip_when_unavailable(), postgres() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url(postgres_server: str) -> Iterator[str]:
    """``postgresql://…`` of a database for the whole session, empty at its start."""
    with skip_when_unavailable(), new_database(postgres_server) as url:
        yield url


@pytest.fixture
def fresh_postgres(postgres_server: str) -> Iterator[str]:
    """``postgresql://…`` of an empty database for this test alone."""
    with skip_when_unavailable(), new_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """URL of a database that tests may flush."""
    with skip_when_unavailable(), redis() as url:
        yield url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """``redis://…`` of a database that is empty when the test starts."""
    flush(redis_server)
    return redis_server
