"""Rule: which numbers of a provider are counts. The others make the usage missing, never wrong."""

from typing import TypeGuard

from llmring_core.gateway.dialects.model import MAX_NAME, MAX_TOKENS


class Counts:
    """A usage object's members as counts of tokens. Remembers the first that is none."""

    def __init__(self, usage: dict[str, object]) -> None:
        self._usage = usage
        self.flaw: str | None = None

    def at(self, *path: str) -> int:
        """Return the count at ``path``, 0 when there is none."""
        value = self._value(path)
        return 0 if value is None else self._count(path, value)

    def required(self, *path: str) -> int:
        """Return the count at ``path``; without one the usage has a flaw."""
        value = self._value(path)
        if value is None:
            self._note(path, "is absent")
            return 0
        return self._count(path, value)

    def rest(self, whole: int, part: int, *path: str) -> int:
        """Return ``whole`` without ``part``, which stands at ``path`` and cannot be larger."""
        if part > whole:
            self._note(path, "is more than the whole")
            return 0
        return whole - part

    def besides(self, **paths: tuple[str, ...]) -> dict[str, int]:
        """Return what stands at ``paths`` and is a count above 0; nothing here is a flaw."""
        found = {}
        for name, path in paths.items():
            value: object = self._usage
            for member in path:
                value = value.get(member) if isinstance(value, dict) else None
            if is_count(value) and value:
                found[name] = value
        return found

    def _value(self, path: tuple[str, ...]) -> object:
        value: object = self._usage
        for depth, member in enumerate(path):
            if value is None:
                return None
            if not isinstance(value, dict):
                self._note(path[:depth], "is no object")
                return None
            value = value.get(member)
        return value

    def _count(self, path: tuple[str, ...], value: object) -> int:
        if is_count(value):
            return value
        self._note(path, "is no count of tokens")
        return 0

    def _note(self, path: tuple[str, ...], what: str) -> None:
        self.flaw = self.flaw or f"{'.'.join(path)} {what}"


def is_count(value: object) -> TypeGuard[int]:
    """Tell whether ``value`` is a whole number that a call can have used."""
    return type(value) is int and 0 <= value <= MAX_TOKENS


def name_in(value: object) -> str | None:
    """Return a name that can be stored and shown, else None."""
    if isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable():
        return value
    return None


def objects_in(value: object) -> list[dict[str, object]]:
    """Return the objects in an array, or nothing."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def object_in(value: object) -> dict[str, object]:
    """Return an object, empty when ``value`` is none."""
    return value if isinstance(value, dict) else {}
