"""Where a server may come from, and what to say when it comes from nowhere."""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Unavailable(Exception):
    """This machine has no such server and no program to start one."""

    def __init__(self, service: str, variable: str) -> None:
        super().__init__(
            f"{service} tests were not run: there is no {service} on this machine. "
            f"`make test` brings one along; or set {variable}."
        )


class Unusable(Exception):
    """A server was named or started, and does not do what tests need."""


def allowed(origin: str) -> bool:
    """Whether servers may come from here: ``system`` or ``wheel``. Narrowed by TEST_SERVICES."""
    return origin in os.environ.get("TEST_SERVICES", "system,wheel").split(",")


def wheel_folder(package: str) -> Path | None:
    """The installed package's folder, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent


@contextmanager
def skip_when_unavailable() -> Iterator[None]:
    """Skip the test that needs a server nobody has; where CI=true, fail it."""
    try:
        yield
    except Unavailable as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{missing} With CI=true that is a failure.", pytrace=False)
        pytest.skip(str(missing))
    except Unusable as broken:
        pytest.fail(str(broken), pytrace=False)
