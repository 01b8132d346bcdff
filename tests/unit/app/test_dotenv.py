"""Which lines a ``.env`` file may have."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmring_app.dotenv import read_dotenv, variables_in
from llmring_app.errors import BadSetting


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("\n  # only a comment\n\t\n", {}),
        ("A=1", {"A": "1"}),
        ("A=1\nB=2\n", {"A": "1", "B": "2"}),
        ("A=1\nA=2", {"A": "2"}),
        ("  export A = 1  ", {"A": "1"}),
        ("exported=1", {"exported": "1"}),
        ("A=", {"A": ""}),
        ("A= # empty", {"A": ""}),
        ("A=x y # comment", {"A": "x y"}),
        ("A=x#y", {"A": "x#y"}),
        ("A=it's", {"A": "it's"}),
        ("A=postgresql://u:p@h/d?x=y", {"A": "postgresql://u:p@h/d?x=y"}),
        ("A='x # \\n$B'", {"A": "x # \\n$B"}),
        ('A="x # \\"y\\"\\n\\\\z" # comment', {"A": 'x # "y"\n\\z'}),
        ("A='one\ntwo'\nB=3", {"A": "one\ntwo", "B": "3"}),
        ("A=${B}", {"A": "${B}"}),
    ],
)
def test_reads(text: str, found: dict[str, str]) -> None:
    assert variables_in(text, Path(".env")) == found


@pytest.mark.parametrize("line", ["A", "=1", "1A=1", "A B=1", "A='1", 'A="1', "A='1'2", "A: 1"])
def test_refuses_other_lines_by_their_number(line: str) -> None:
    with pytest.raises(BadSetting, match=r"^\.env, line 3: must be NAME=value$"):
        variables_in(f"# one\nTWO=2\n{line}\n", Path(".env"))


@given(value=st.text(st.characters(exclude_characters="'\r\0", exclude_categories=["Cs"])))
def test_a_value_in_single_quotes_is_taken_literally(value: str) -> None:
    assert variables_in(f"A='{value}'", Path(".env")) == {"A": value}


def test_there_need_not_be_a_file(tmp_path: Path) -> None:
    assert read_dotenv(tmp_path / ".env") == {}
    assert read_dotenv(tmp_path) == {}


def test_the_file_is_utf_8_text_with_any_line_ends(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_bytes("\ufeffA=é\r\nB=2\r\n".encode())

    assert read_dotenv(dotenv) == {"A": "é", "B": "2"}


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_bytes(b"A=\xff")

    with pytest.raises(BadSetting, match="must be UTF-8 text"):
        read_dotenv(dotenv)
