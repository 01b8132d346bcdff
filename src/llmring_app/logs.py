"""What the server says on standard error: one line for each event, and no secret in any."""

import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from urllib.parse import quote, unquote

from msgspec.json import Encoder

from llmring_app.settings import Settings

MAX_TEXT: Final = 16_384  # characters of a message or a trace
# Whoever is told what to leave out by this must see that it is a secret from its form.
SECRETS: Final = re.compile(
    r"(?P<kept>llmr_[a-z]+_|(?i:bearer|basic)\s+|://[^:/@\s]*:)(?:[^\s'\"@,;)\]}]+)"
)
MARKS: Final = ("llmr_", "bearer", "basic", "://")  # without one of these there is none
CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
PLAIN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}

Fields: TypeAlias = dict[str, object]

encoder: Final = Encoder()


class Lines(logging.Formatter):
    """Writes events without ``secrets``, as JSON or for people."""

    def __init__(self, secrets: Iterable[str], as_json: bool) -> None:
        super().__init__()
        longest_first = sorted(secrets, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first)) or r"\Z(?!)")
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        fields: Fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redacted(_message(record)),
        }
        for name, value in vars(record).items():
            if name not in PLAIN and value is not None:
                is_number = isinstance(value, int | float)
                fields[name] = value if is_number else self._redacted(str(value))
        if record.exc_info and record.exc_info[0] is not None:
            fields["error"] = record.exc_info[0].__name__
            fields["trace"] = self._redacted(self.formatException(record.exc_info))
        if self._as_json:
            line = encoder.encode(fields).decode()
            return line if line.isprintable() else CONTROLS.sub(_escaped, line)
        return _for_people(fields)

    def _redacted(self, text: str) -> str:
        """Leave secrets out, first of all: a cut could spare the half of one."""
        sound = text.encode(errors="backslashreplace").decode()  # half a character is no UTF-8
        clean = self._secrets.sub("***", sound)
        folded = clean.lower()
        if any(mark in folded for mark in MARKS):
            clean = SECRETS.sub(r"\g<kept>***", clean)
        if len(clean) <= MAX_TEXT:
            return clean
        half = MAX_TEXT // 2  # a trace says at its end what happened, and at its start where
        return f"{clean[:half]} ... {clean[-half:]}"


def log_config(settings: Settings) -> dict[str, Any]:
    """Return the configuration of Python's logging, in a form that other processes can be given.

    The level is for us and the HTTP server. Libraries that speak SQL or HTTP would at lower levels
    repeat what callers send; they are heard from ``warning`` on.
    """
    level = settings.log_level.upper()
    loudest = max(logging.WARNING, getattr(logging, level))
    ours = {name: {"level": level} for name in ("llmring", "llmring_app")}
    as_json = settings.log_format == "json" or (
        settings.log_format is None and not sys.stderr.isatty()
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": Lines, "secrets": secrets_of(settings), "as_json": as_json}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "loggers": ours
        | {"llmring.access": {"level": "INFO" if settings.access_log else "CRITICAL"}},
        "root": {"level": loudest, "handlers": ["stderr"]},
    }


def secrets_of(settings: Settings) -> list[str]:
    """Return the secrets among the settings, in every spelling that an error may use."""
    urls = (settings.database_url, settings.redis_url)
    found = {settings.metrics_token, *(_password(url) for url in urls if url)}
    return sorted({spelt for one in found if one for spelt in _spellings(one)})


def _spellings(secret: str) -> set[str]:
    plain = unquote(secret)
    return {secret, plain, quote(plain, safe=""), repr(plain)[1:-1]}


def _password(url: str) -> str | None:
    """Return the password as it stands in a URL, to the last @: some hold one."""
    found = re.match(r"[a-z+]+://[^:/]*:(.*)@", url, re.DOTALL)
    return found[1] if found else None


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # somebody else's line with wrong arguments is still worth reading
        return str(record.msg)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _for_people(fields: Fields) -> str:
    """Return a line of text, and below it, indented, the trace where there is one."""
    trace = str(fields.pop("trace", ""))
    head = [fields.pop(name) for name in ("time", "level", "logger", "message")]
    tail = [f"{name}={value}" for name, value in fields.items()]
    line = CONTROLS.sub(_escaped, " ".join(map(str, [*head, *tail])))
    below = [f"\n    {CONTROLS.sub(_escaped, one)}" for one in trace.splitlines()]
    return line + "".join(below)
