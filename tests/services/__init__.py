"""Private PostgreSQL and Redis servers for the tests: found or brought along, started, removed.

Looked for in this order: ``TEST_POSTGRES_URL`` and ``TEST_REDIS_URL``; server programs on this
machine; server programs from a wheel. The last two run as our own child processes, in a temporary
folder, on a free port. A server that happens to run here is never used: it is somebody's.
``TEST_SERVICES=wheel`` (or ``system``, ``none``) narrows the search.
"""
