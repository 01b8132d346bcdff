"""Ids and secrets of this machine."""

from datetime import UTC, datetime
from uuid import UUID

from llmring_adapters.system import random_secret, time_ordered_id, utc_now


def test_an_id_is_a_uuid_of_version_7_that_carries_the_time() -> None:
    before, id, after = utc_now(), time_ordered_id(), utc_now()
    uuid = UUID(id)
    made = datetime.fromtimestamp((uuid.int >> 80) / 1000, UTC)
    assert (str(uuid), uuid.version, uuid.variant) == (id, 7, "specified in RFC 4122")
    assert int(before.timestamp() * 1000) <= int(made.timestamp() * 1000 + 0.5)
    assert made <= after


def test_ids_and_secrets_do_not_repeat() -> None:
    assert len({time_ordered_id() for _ in range(10_000)}) == 10_000
    secrets = {random_secret() for _ in range(100)}
    assert len(secrets) == 100 and {len(secret) for secret in secrets} == {32}
