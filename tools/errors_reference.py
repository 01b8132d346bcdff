"""Write docs/reference/errors.md from the error classes."""

from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import llmring_core
import llmring_http
from llmring_core.errors import LLMRingError
from llmring_http.problems import status_of

TARGET = Path(__file__).parents[1] / "docs/reference/errors.md"

HEAD = """\
# Errors

Every error is `application/problem+json` (RFC 9457): `type`, `title`, `status`, `detail`, `code`
and `request_id`, which is also the header `X-Request-ID`. `detail` is a sentence; for 422 it may be
a list of `{type, loc, msg, input}` that names each field and the rule it breaks. `code` is stable.
Under `/manage` errors are `application/json` with one more member, `error`; 422 is 400 there.

| status | code | means |
|---|---|---|
"""


def reference() -> str:
    """Return the page, one row for each error with a code of its own."""
    for package in (llmring_core, llmring_http):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    rows = sorted(
        (status_of(error), error.code, (error.__doc__ or "").splitlines()[0])
        for error in _leaves(LLMRingError)
        if "code" in vars(error)
    )
    return HEAD + "".join(f"| {status} | `{code}` | {text} |\n" for status, code, text in rows)


def _leaves(family: type[LLMRingError]) -> list[type[LLMRingError]]:
    below = [leaf for child in family.__subclasses__() for leaf in _leaves(child)]
    return below if family is LLMRingError else [family, *below]


if __name__ == "__main__":
    TARGET.write_text(reference())
