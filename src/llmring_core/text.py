"""Text that every backend stores as it came: no NUL, no lone surrogate, a known length."""

from llmring_core.errors import InvalidField


def check_text(field: str, value: str | None, max_length: int) -> None:
    """Raises InvalidField when ``value`` cannot be stored as it is; None is no text, and fine.

    ``max_length`` counts code points.
    """
    if value is None:
        return
    if len(value) > max_length:
        raise InvalidField(field, f"must have at most {max_length} characters")
    if "\0" in value:
        raise InvalidField(field, "must not contain the NUL character")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidField(field, "must not contain lone surrogates")


def check_name(field: str, value: str, max_length: int) -> None:
    """Like ``check_text``, and not empty."""
    if not value:
        raise InvalidField(field, "must not be empty")
    check_text(field, value, max_length)
