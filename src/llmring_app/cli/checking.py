"""Checking a database, and saying what was found."""

from sqlalchemy.ext.asyncio import AsyncEngine

from llmring_adapters.checking import CHECKS, Finding, check_database
from llmring_app.cli.printing import print_json, print_table
from llmring_app.cli.progress import Progress
from llmring_app.errors import CannotStart


async def found_nothing(engine: AsyncEngine, as_json: bool = False) -> None:
    """Raises CannotStart when something is wrong, after printing what."""
    progress = Progress("Checking", len(CHECKS))
    findings = await check_database(engine, progress.show)
    progress.close()
    if as_json:
        print_json({"checks": list(CHECKS), "findings": findings})
    elif findings:
        print_table(("CHECK", "PROJECT", "FOUND"), list(map(_row, findings)))
    if findings:
        raise CannotStart(f"the database is not consistent; findings: {len(findings)}")


def _row(finding: Finding) -> tuple[str, str, str]:
    return finding.check, finding.project or "-", finding.text
