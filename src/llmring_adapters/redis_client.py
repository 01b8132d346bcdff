"""What we use of Redis's library, and how: no waiting, and no second try but one."""

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

__all__ = ["RedisError", "ResponseError", "client_of"]


def client_of(url: str, command_s: float, connections: int) -> Redis:
    """Return a client whose connections are still to be opened.

    Raises: ValueError for an option no connection takes.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=command_s,
        socket_connect_timeout=command_s,
        socket_timeout=command_s,
        retry=Retry(NoBackoff(), 1),  # the default waits for seconds
    )
    try:
        pool.connection_class(**pool.connection_kwargs)
    except TypeError as error:
        raise ValueError(str(error)) from error
    return Redis.from_pool(pool)
