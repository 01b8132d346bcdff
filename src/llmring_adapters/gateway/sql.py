"""Gateway projects and withering tokens in SQL."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from msgspec.structs import asdict
from sqlalchemy import (
    BigInteger,
    Select,
    String,
    and_,
    bindparam,
    case,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from llmring_adapters.accounts.sql import projects
from llmring_adapters.gateway.tables import (
    gateway_budgets,
    gateway_projects,
    gateway_provider_keys,
    gateway_tokens,
)
from llmring_adapters.schema import UtcDateTime
from llmring_core.accounts import DuplicateProject
from llmring_core.gateway import (
    WINDOW,
    Access,
    Counters,
    GatewayBook,
    GatewayProject,
    InactiveToken,
    SealedKey,
    Taken,
    Token,
    TokenBook,
    TokenChange,
    Uses,
    changed,
    room,
)
from llmring_core.ids import ProjectId, TokenId

TOKEN = Token.__struct_fields__
COUNTERS = Counters.__struct_fields__
KEY = SealedKey.__struct_fields__
CHANGEABLE = ("is_active", "deactivated_at", "max_requests", "max_per_minute")


def _charge() -> ReturningUpdate[Any]:
    """Return the statement that grants all that is asked for, or nothing.

    Every limited call pays for it, so it is built once.
    """
    c, wanted = gateway_tokens.c, bindparam("wanted", type_=BigInteger())
    now, since, until = (bindparam(name, type_=UtcDateTime()) for name in ("now", "since", "until"))
    over = or_(c.window_began_at.is_(None), c.window_began_at <= since, c.window_began_at >= until)
    used = case((over, 0), else_=c.window_count)
    fits = and_(
        c.id == bindparam("asked", type_=String(36)),
        c.is_active,
        c.expires_at > now,
        or_(c.max_requests.is_(None), c.request_count + wanted <= c.max_requests),
        or_(c.max_per_minute.is_(None), used + wanted <= c.max_per_minute),
    )
    charged = update(gateway_tokens).values(
        request_count=c.request_count + wanted,
        last_used_at=now,
        window_began_at=case((over, now), else_=c.window_began_at),
        window_count=used + wanted,
    )
    return charged.where(fits).returning(c.id)


CHARGE: Final = _charge()


class SqlGatewayBook(GatewayBook):
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, project: GatewayProject) -> None:
        try:
            await self._connection.execute(insert(gateway_projects).values(_settings(project)))
        except IntegrityError as error:
            raise DuplicateProject(project.name) from error

    async def change(self, project: GatewayProject) -> None:
        mine = gateway_projects.c.id == project.id
        await self._connection.execute(
            update(gateway_projects).where(mine).values(_settings(project))
        )

    async def find(self, project: ProjectId, *, locked: bool = False) -> GatewayProject | None:
        query = _projects().where(gateway_projects.c.id == project)
        if locked:
            query = query.with_for_update(of=gateway_projects)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else GatewayProject(**row._asdict())

    async def all(self) -> list[GatewayProject]:
        rows = await self._connection.execute(_projects())
        found = [GatewayProject(**row._asdict()) for row in rows]
        return sorted(found, key=lambda project: project.name)  # the same order on every backend

    async def put_key(self, project: ProjectId, key: SealedKey) -> None:
        dialect = sqlite if self._connection.dialect.name == "sqlite" else postgresql
        put = dialect.insert(gateway_provider_keys).values(project=project, **asdict(key))
        new = {name: put.excluded[name] for name in ("key_id", "sealed", "shown")}
        keys = gateway_provider_keys.primary_key
        await self._connection.execute(put.on_conflict_do_update(index_elements=keys, set_=new))

    async def keys(self, project: ProjectId) -> list[SealedKey]:
        c = gateway_provider_keys.c
        query = select(*(c[name] for name in KEY)).where(c.project == project)
        rows = await self._connection.execute(query)
        found = [SealedKey(**row._asdict()) for row in rows]
        return sorted(found, key=lambda key: key.provider)

    async def every_key(self, *, locked: bool = False) -> list[tuple[ProjectId, SealedKey]]:
        c = gateway_provider_keys.c
        query = select(c.project, *(c[name] for name in KEY)).order_by(c.project, c.provider)
        if locked:
            query = query.with_for_update()
        found = []
        for row in await self._connection.execute(query):
            values = row._asdict()
            found.append((ProjectId(values.pop("project")), SealedKey(**values)))
        return sorted(found, key=lambda pair: (pair[0], pair[1].provider))


class SqlTokenBook(TokenBook):
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, token: Token) -> None:
        row = asdict(token) | {"window_count": 0}
        await self._connection.execute(insert(gateway_tokens).values(row))

    async def access(self, digest: str) -> Access | None:
        c, budgets = gateway_tokens.c, gateway_budgets
        limited = or_(budgets.c.max_usd.is_not(None), budgets.c.max_tokens.is_not(None))
        budgeted = select(budgets.c.scope).where(budgets.c.scope.in_([c.id, c.project]))
        of_project = gateway_projects.c
        query = (
            select(
                *(c[name].label(f"t_{name}") for name in TOKEN),
                *(column.label(f"p_{column.key}") for column in of_project),
                projects.c.name.label("p_name"),
                budgeted.where(limited).exists().label("is_budgeted"),
                budgeted.where(budgets.c.max_usd.is_not(None)).exists().label("is_usd_limited"),
            )
            .join(gateway_projects, of_project.id == c.project)
            .join(projects, projects.c.id == c.project)
            .where(c.digest == digest)
        )
        row = (await self._connection.execute(query)).one_or_none()
        if row is None:
            return None
        return Access(
            token=Token(**_part(row._asdict(), "t_")),
            project=GatewayProject(**_part(row._asdict(), "p_")),
            is_budgeted=row.is_budgeted,
            is_usd_limited=row.is_usd_limited,
        )

    async def find(self, token: TokenId) -> Token | None:
        return await self._one(_tokens().where(gateway_tokens.c.id == token))

    async def newest(self, project: ProjectId | None, *, active_only: bool) -> list[Token]:
        c = gateway_tokens.c
        query = _tokens().order_by(c.created_at.desc(), c.id.desc())
        if project is not None:
            query = query.where(c.project == project)
        if active_only:
            query = query.where(c.is_active)
        return [Token(**row._asdict()) for row in await self._connection.execute(query)]

    async def change(self, token: TokenId, change: TokenChange, at: datetime) -> Token | None:
        mine = gateway_tokens.c.id == token
        before = await self._one(_tokens().where(mine).with_for_update())
        if before is None:
            return None
        after = changed(before, change, at)
        values = {name: getattr(after, name) for name in CHANGEABLE}  # never a count
        await self._connection.execute(update(gateway_tokens).where(mine).values(values))
        return after

    async def revoke_all(self, project: ProjectId, at: datetime) -> int:
        c = gateway_tokens.c
        open_ones = select(c.id).where(c.project == project, c.is_active)
        # Locked in the order in which they are charged, so that neither waits for the other.
        locked = await self._connection.execute(open_ones.order_by(c.id).with_for_update())
        ids = locked.scalars().all()
        closed = update(gateway_tokens).where(c.project == project, c.is_active)
        await self._connection.execute(closed.values(is_active=False, deactivated_at=at))
        return len(ids)

    async def take(self, token: TokenId, wanted: int, at: datetime) -> Taken:
        c = gateway_tokens.c
        asked = {"asked": token, "wanted": wanted, "now": at, "since": at - WINDOW}
        granted = await self._connection.execute(CHARGE, asked | {"until": at + WINDOW})
        if granted.one_or_none() is not None:
            return Taken(granted=wanted, refusal=None)
        locked = select(*(c[name] for name in COUNTERS)).where(c.id == token).with_for_update()
        row = (await self._connection.execute(locked)).one_or_none()
        if row is None:
            return Taken(granted=0, refusal=InactiveToken())
        taken = room(Counters(**row._asdict()), wanted, at)
        if taken.granted > 0:
            await self.take(token, taken.granted, at)
        return taken

    async def count(self, uses: Mapping[TokenId, Uses]) -> None:
        c = gateway_tokens.c
        for token in sorted(uses):
            used = uses[token]
            values = {
                "request_count": c.request_count + used.count,
                "cache_hit_count": c.cache_hit_count + used.hits,
                "last_used_at": bindparam("now", used.last_at, type_=UtcDateTime()),
            }
            mine = gateway_tokens.c.id == token
            await self._connection.execute(update(gateway_tokens).where(mine).values(values))

    async def _one(self, query: Select[Any]) -> Token | None:
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else Token(**row._asdict())


def _projects() -> Select[Any]:
    c = gateway_projects.c
    query = select(gateway_projects, projects.c.name).join(projects, projects.c.id == c.id)
    return query.where(c.deleted_at.is_(None))


def _tokens() -> Select[Any]:
    return select(*(gateway_tokens.c[name] for name in TOKEN))


def _settings(project: GatewayProject) -> dict[str, object]:
    """Return the columns of our own table; the name is in the accounts'."""
    values = asdict(project)
    del values["name"]
    return values


def _part(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        name.removeprefix(prefix): value
        for name, value in values.items()
        if name.startswith(prefix)
    }
