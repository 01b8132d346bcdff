"""Reading ``.env``: NAME=value lines, with ``export``, quotes and comments; nothing is expanded."""

import re
from pathlib import Path

from llmring_app.errors import BadSetting

_NOTHING = re.compile(r"[ \t]*(?:\#[^\n]*)?(?:\n|\Z)")
_ENTRY = re.compile(
    r"""
    [ \t]* (?:export[ \t]+)? (?P<name>[A-Za-z_]\w*) [ \t]*=[ \t]*
    (?: '(?P<literal>[^']*)'  |  "(?P<escaped>(?:[^"\\]|\\.)*)"  |  (?P<bare>(?!['"])[^\n]*?) )
    [ \t]* (?:(?<!\S)\#[^\n]*)? (?:\n|\Z)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the variables in the file, of equal names the last; none when there is no file.

    Raises: BadSetting, naming the file and the line.
    """
    if not path.is_file():
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError:
        raise BadSetting(f"{path} cannot be read; check its permissions") from None
    except UnicodeDecodeError:
        raise BadSetting(f"{path} must be UTF-8 text") from None
    return variables_in(text, path)


def variables_in(text: str, path: Path) -> dict[str, str]:
    """Return the variables in ``text``, which is the file's. Raises BadSetting."""
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        nothing = _NOTHING.match(text, position)
        if nothing is not None:
            position = nothing.end()
            continue
        entry = _ENTRY.match(text, position)
        if entry is None:
            line = text.count("\n", 0, position) + 1
            raise BadSetting(f"{path}, line {line}: must be NAME=value")
        found[entry["name"]] = _value(entry)
        position = entry.end()
    return found


def _value(entry: re.Match[str]) -> str:
    if entry["escaped"] is not None:
        return _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[1]), entry["escaped"])
    return entry["bare"] if entry["literal"] is None else entry["literal"]
