"""Write the API's description into the documentation; a test compares the two.

python tools/write_openapi.py
"""

from pathlib import Path

from msgspec import json

from llmring_adapters.system import time_ordered_id, utc_now
from llmring_app.container import Container, use_cases
from llmring_app.settings import Settings
from llmring_http.app import create_litestar
from llmring_http.docs.openapi import described
from llmring_http.options import HttpOptions

TARGET = Path(__file__).parents[1] / "docs" / "reference" / "openapi.json"


async def no_database() -> bool:
    return False


def main() -> None:
    container = Container(settings=Settings.read({}, Path("nowhere")))
    options = HttpOptions(clock=utc_now, new_id=time_ordered_id, database_answers=no_database)
    document = described(create_litestar(use_cases(container), options).openapi_schema)
    TARGET.write_bytes(json.format(json.encode(document), indent=2) + b"\n")


if __name__ == "__main__":
    main()
