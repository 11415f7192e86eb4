"""How the relay's statements find their rows when statistics say that there are none."""

from __future__ import annotations

from typing import Any, Final

import psycopg
import pytest

from infrastructure.outbox.reader import SQL
from infrastructure.postgres.pool import WORKER, open_pool

NUMBERS: Final = "{1,2,3,4,5,6,7,8,9,10}"
VALUES: Final[dict[str, dict[str, Any]]] = {
    "pending": {"low": 0, "passed": "{}", "floors": "{}", "shards": "{1}", "under_way": "{}", "limit": 4_000},
    "delete_acknowledged": {"positions": NUMBERS, "shards": "{1}", "terms": "{1}", "owner": "mine"},
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("by_index", [True, False])
async def test_rows_are_looked_up_by_index_though_the_outbox_was_empty_when_it_was_analysed(
    name: str, by_index: bool, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("vacuum analyze outbox")
    async with (
        open_pool(database_url, role=WORKER, name="tests", max_size=1, by_index=by_index) as pool,
        pool.connection() as connection,
    ):
        plan = await (await connection.execute(f"explain {SQL[name]}".encode(), VALUES[name])).fetchall()

    assert any("Seq Scan on outbox" in line for (line,) in plan) is not by_index
