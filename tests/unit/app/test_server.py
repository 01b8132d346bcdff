"""Where a server may listen, and what its command line may look like."""

import pytest

from llmring_app.cli.main import database, main, parsed
from llmring_app.cli.serve import serve
from llmring_app.errors import CannotStart
from llmring_app.server import prepare
from llmring_app.settings import Settings


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "", "192.0.2.1", "2001:db8::1", "example.test", "localhost.example.test"],  # noqa: S104
)
def test_open_mode_refuses_every_address_but_this_machines(host: str) -> None:
    with pytest.raises(CannotStart, match="LLMRING_OPEN_TO_NETWORK=true"):
        prepare(Settings(), host, port=0, workers=1)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "localhost"])
def test_open_mode_listens_on_this_machine(host: str) -> None:
    with prepare(Settings(database_url="sqlite://"), host, port=0, workers=1) as listener:
        assert listener.getsockname()[0].startswith("127.")


@pytest.mark.parametrize(
    ("argv", "meant"),
    [
        ([], (8000, False)),
        (["serve"], (8000, False)),
        (["--reload"], (8000, True)),
        (["--reload", "serve", "--port", "9101"], (9101, True)),
        (["serve", "--env", "dev", "--reload"], (8000, True)),
    ],
)
def test_every_way_to_say_serve(argv: list[str], meant: tuple[int, bool]) -> None:
    args = parsed(argv)

    assert args.run is serve
    assert (args.host, args.port, args.reload) == ("127.0.0.1", *meant)


@pytest.mark.parametrize(
    "argv",
    [
        ["nope"],
        ["keys"],
        ["serve", "--port", "65536"],
        ["serve", "--workers", "0"],
        ["serve", "--workers", "2", "--reload"],
        ["serve", "--env", "staging"],
        ["--nope"],
    ],
)
def test_wrong_usage_exits_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(argv)

    assert left.value.code == 2
    assert capsys.readouterr().err.startswith("usage: llmring-server")


def test_llmring_db_is_llmring_server_db(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        database(["migrate", "--help"])

    assert capsys.readouterr().out.startswith("usage: llmring-server db migrate")
