"""What every use case may stand on: settings, time, chance and the database."""

from asyncio import to_thread

from dependency_injector import containers, providers

from llmring_adapters.database import open_engine
from llmring_adapters.sqlite import Turn
from llmring_adapters.system import random_secret, time_ordered_id, utc_now
from llmring_adapters.transactions.sql import sql_reads, sql_transactions
from llmring_app.measures import Measures
from llmring_app.settings import Settings


class Foundation(containers.DeclarativeContainer):
    """The first part of the composition root."""

    settings = providers.Dependency(instance_of=Settings)
    clock = providers.Object(utc_now)
    aside = providers.Object(to_thread)
    new_id = providers.Object(time_ordered_id)
    new_secret = providers.Object(random_secret)
    engine = providers.Singleton(
        open_engine,
        url=settings.provided.database_url,
        schema=settings.provided.database_schema,
        pool_size=settings.provided.database_pool_size,
        max_overflow=settings.provided.database_pool_overflow,
    )
    measures = providers.Singleton(Measures)
    turn = providers.Singleton(Turn)  # SQLite's
    begin = providers.Singleton(sql_transactions, engine, measures.provided.outages, turn)
    read = providers.Singleton(sql_reads, engine, measures.provided.outages)
