"""cr8, with the one statement behind BEGIN without which its cursor is refused with CrateDB as the source."""

import asyncpg.transaction
from cr8.__main__ import main

start = asyncpg.transaction.Transaction.start


async def start_and_ask(self):
    await start(self)
    await self._connection.fetchval("SELECT 1")


asyncpg.transaction.Transaction.start = start_and_ask

if __name__ == "__main__":
    main()
