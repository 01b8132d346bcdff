"""The endpoints that read the ledger; ingest.py has the one that writes it."""

from datetime import datetime

from litestar import Controller, Response, get
from litestar.di import NamedDependency

from llmring_core.accounts import Caller, InvalidApiKey
from llmring_core.errors import InvalidField, StoreUnavailable
from llmring_core.usage import ExportUsage, ListUsage, SummariseUsage
from llmring_http.callers import SECURITY, MissingCredentials
from llmring_http.decoding import query_parameters
from llmring_http.problems import BadRequest, Unprocessable, documented
from llmring_http.usage.exports import answered
from llmring_http.usage.stats import Stats, StatsQuery
from llmring_http.usage.wire import ListQuery, LogRow

READ_ERRORS = documented(
    BadRequest, InvalidApiKey, MissingCredentials, Unprocessable, InvalidField, StoreUnavailable
)


class UsageController(Controller):
    path = "/api/v1"
    tags = ["usage"]
    security = SECURITY

    @get("/logs", responses=READ_ERRORS, **query_parameters(ListQuery))
    async def logs(
        self,
        params: NamedDependency[ListQuery],
        now: NamedDependency[datetime],
        caller: NamedDependency[Caller],
        list_usage: NamedDependency[ListUsage],
        export_usage: NamedDependency[ExportUsage],
    ) -> Response[list[LogRow]]:
        """List calls, newest first; the header `X-Next-Cursor` leads to the next page.

        With `format=csv` or `format=jsonl` all of them as a file, without a limit unless given.
        """
        return await answered(caller.project, params, now, list_usage, export_usage)

    @get("/stats", responses=READ_ERRORS, **query_parameters(StatsQuery))
    async def stats(
        self,
        params: NamedDependency[StatsQuery],
        now: NamedDependency[datetime],
        caller: NamedDependency[Caller],
        summarise_usage: NamedDependency[SummariseUsage],
    ) -> Stats:
        """Add calls up by day, period, model, alias and origin."""
        summary = await summarise_usage(caller.project, params.request(now))
        return Stats.of(summary, params.group_by)
