"""Every event is one line of JSON, and no line holds a secret or starts another."""

import logging
from typing import Any

import pytest
from msgspec import json
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from llmring_adapters.database import open_engine
from llmring_app.logs import MAX_TEXT, Lines, log_config, secrets_of
from llmring_app.settings import Settings

PASSWORD = "Zq7/canary"  # noqa: S105
SETTINGS = Settings(
    database_url="postgresql://me:Zq7%2Fcanary@127.0.0.1:1/usage",
    redis_url=f"redis://:{PASSWORD}@cache/0",
    metrics_token="metrics-Zq7canary-token",  # noqa: S106
    log_format="json",
)
CANARIES = ("Zq7", "canary")
KEY = "llmr_pk_" + "5eCr3tcanary" * 3


def written(settings: Settings, message: str, *words: object, **fields: object) -> list[str]:
    """Return the lines that one event becomes."""
    form = log_config(settings)["formatters"]["lines"]
    event = {"name": "llmring.test", "levelname": "ERROR", "levelno": logging.ERROR}
    record = logging.makeLogRecord(event | {"msg": message, "args": words} | fields)
    return Lines(form["secrets"], form["as_json"]).format(record).splitlines()


def logged(message: str, *words: object, **fields: object) -> dict[str, Any]:
    """Read the one line that an event becomes."""
    (line,) = written(SETTINGS, message, *words, **fields)
    return dict(json.decode(line))


def trace_of(error: Exception) -> dict[str, object]:
    try:
        raise error
    except Exception as caught:
        return {"exc_info": (type(caught), caught, caught.__traceback__)}


def test_a_line_says_when_where_what_and_for_whom() -> None:
    line = logged("no %s", "prices", request_id="r-1", status=503)

    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "error",
        "logger": "llmring.test",
        "message": "no prices",
        "request_id": "r-1",
        "status": 503,
    }


def test_a_trace_is_part_of_its_line() -> None:
    line = logged("unexpected error", **trace_of(ValueError("odd")))

    assert line["error"] == "ValueError"
    assert line["trace"].startswith("Traceback") and line["trace"].endswith("ValueError: odd")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\u2028", "\x85", "\x0b", "\x1b[2K", "\ud800"])
@pytest.mark.parametrize("form", ["json", "text"])
def test_nobody_forges_a_line(end: str, form: str) -> None:
    (line,) = written(Settings(log_format=form), "sent: %s", f"x{end}forged", a=f"b{end}")

    assert "\x1b" not in line


def test_a_trace_for_people_is_indented() -> None:
    trace = trace_of(ValueError("a\nERROR forged"))

    _, *below = written(Settings(log_format="text"), "unexpected error", **trace)

    assert below and all(line.startswith("    ") for line in below)


@pytest.mark.parametrize(
    "said",
    [
        f"cannot connect to {SETTINGS.database_url}",
        f"cannot connect to {SETTINGS.redis_url}",
        f"password {PASSWORD} refused",
        f"token {SETTINGS.metrics_token} refused",
        f"X-API-Key: {KEY}",
        f"{{'authorization': 'Bearer {KEY}'}}",
        "Authorization: Bearer plain-5eCr3tcanary",
        "http://user:5eCr3tcanary@proxy/",
    ],
)
def test_no_secret_is_logged(said: str) -> None:
    lines = [
        logged(said),
        logged("%s", said),
        logged("", said=said, given=[said]),
        logged("failed", **trace_of(RuntimeError(said))),
    ]

    assert all("canary" not in str(line) and "Zq7" not in str(line) for line in lines)
    assert all("***" in str(line) for line in lines)


@pytest.mark.parametrize(
    ("url", "statement"),
    [
        (SETTINGS.database_url, "SELECT 1"),
        ("sqlite://", "INSERT INTO nowhere VALUES (:secret)"),
    ],
)
async def test_a_database_that_fails_gives_nothing_away(url: str, statement: str) -> None:
    engine = open_engine(url, "llmring")
    with pytest.raises((SQLAlchemyError, OSError)) as failed:
        async with engine.connect() as connection:
            given = {"secret": "canary"} if ":secret" in statement else {}
            await connection.execute(text(statement), given)
    await engine.dispose()

    assert "canary" not in str(logged("unexpected error", **trace_of(failed.value)))


def test_a_line_has_an_end() -> None:
    line = logged("x" * 10 * MAX_TEXT, **trace_of(ValueError("y" * 10 * MAX_TEXT)))

    assert len(line["message"]) < MAX_TEXT + 10 and len(line["trace"]) < MAX_TEXT + 10


def test_wrong_arguments_lose_no_line() -> None:
    assert logged("%d calls", "many")["message"] == "%d calls"


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_libraries_are_never_heard_below_warning(level: str) -> None:
    config = log_config(Settings(log_level=level))

    assert config["root"]["level"] >= logging.WARNING
    assert config["loggers"]["llmring"]["level"] == level.upper()


def test_every_secret_among_the_settings_is_known() -> None:
    secrets = secrets_of(SETTINGS)

    assert PASSWORD in secrets and "Zq7%2Fcanary" in secrets
    assert SETTINGS.metrics_token in secrets
    assert not any(canary in repr(SETTINGS) for canary in CANARIES)
