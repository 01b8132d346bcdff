"""Write the next revision into alembic/versions: what the tables have and the history lacks.

    python tools/make_migration.py NAME

Both are compared on an empty SQLite database in memory. Read the result before you keep it.
"""

import sys

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from llmring_adapters.migrations import alembic_config


def main(name: str) -> None:
    with create_engine("sqlite://").begin() as connection:
        config = alembic_config(connection)
        number = len(list(ScriptDirectory.from_config(config).walk_revisions())) + 1
        command.upgrade(config, "head")
        command.revision(config, name, autogenerate=True, rev_id=f"{number:04}")


if __name__ == "__main__":
    main(sys.argv[1])
