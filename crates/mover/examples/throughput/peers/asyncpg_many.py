"""Reads by a cursor and writes by executemany, 5,000 rows at a time, while the next ones are read."""

import asyncio
import sys

import asyncpg

BATCH = 5_000


def address(text):
    host, port = text.rsplit(":", 1)
    return {"host": host, "port": int(port), "user": "crate"}


async def batches(connection, select, size):
    """The rows of a select, by a cursor: asyncpg opens one only where a BEGIN is known to have begun something, and
    CrateDB says so only with the answer to the statement behind it."""
    await connection.transaction().start()
    await connection.fetchval("SELECT 1")
    batch = []
    async for row in connection.cursor(select, prefetch=size):
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


async def read(source, select, queue):
    connection = await asyncpg.connect(**address(source))
    async for batch in batches(connection, select, BATCH):
        await queue.put(batch)
    await queue.put(None)
    connection.terminate()


async def write(target, insert, queue):
    connection = await asyncpg.connect(**address(target))
    while batch := await queue.get():
        await connection.executemany(insert, batch)
    connection.terminate()


async def main(source, target, select, insert):
    queue = asyncio.Queue(2)
    await asyncio.gather(read(source, select, queue), write(target, insert, queue))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
