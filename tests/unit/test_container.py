"""Every use case can be built, and every handler finds the use cases it names."""

from pathlib import Path

from llmring_app.container import Container, use_cases
from llmring_app.serve import application
from llmring_app.settings import Settings


def test_every_use_case_is_wired(tmp_path: Path) -> None:
    files = ("receipts_key_file", "log_key_file", "encryption_key_file")
    keys = {name: str(tmp_path / name) for name in files}
    container = Container(settings=Settings(database_url="sqlite://", **keys))
    container.check_dependencies()

    for build in use_cases(container).values():
        build()


def test_every_handler_finds_what_it_names() -> None:
    application(Container(settings=Settings(database_url="sqlite://")))


def test_two_containers_share_nothing() -> None:
    one, other = (Container(settings=Settings(database_url="sqlite://")) for _ in range(2))

    assert one.registry() is not other.registry()
    assert one.engine() is not other.engine()
