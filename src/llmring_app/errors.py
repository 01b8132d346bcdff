"""What stops the program before it does anything."""


class CannotStart(Exception):
    """One line for people: what is wrong, and what to do next. It never holds a secret."""


class BadSetting(CannotStart):
    """A setting that is unknown, contradicts another or breaks its rule."""
