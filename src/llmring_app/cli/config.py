"""``llmring-server config``."""

from argparse import Namespace, RawDescriptionHelpFormatter

from llmring_app.cli.parsing import Commands, add_command, add_json, settings_of
from llmring_app.cli.printing import print_json
from llmring_app.settings import TYPES, rule, variable


def add(commands: Commands) -> None:
    parser = add_command(commands, "config", "print the settings in force, redacted", config)
    parser.formatter_class = RawDescriptionHelpFormatter
    width = max(len(variable(field)) for field in TYPES)
    settings = (f"  {variable(field):{width}}  {rule(field)}" for field in TYPES)
    parser.epilog = "\n".join(["settings, and what they must be:", *settings])
    add_json(parser)


def config(args: Namespace) -> int:
    values = settings_of(args).redacted()
    if args.json:
        print_json(values)
        return 0
    for name, value in values.items():
        print(f"{name}={written(value)}")
    return 0


def written(value: object) -> str:
    """Write ``value`` as it would be given in ``.env``."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(value)
        case _:
            return str(value)
