"""Reads ranges of 10,000 keys by HTTP and writes them by HTTP with bulk_args, on two connections each."""

import asyncio
import json
import sys

import aiohttp

BATCH = 10_000
CONNECTIONS = 2


async def ask(session, address, body):
    headers = {"Content-Type": "application/json"}
    async with session.post(f"http://{address}/_sql", data=json.dumps(body), headers=headers) as response:
        answer = await response.json()
    if "error" in answer:
        raise SystemExit(answer["error"]["message"])
    return answer


async def work(session, source, target, select, insert, ranges):
    for start in ranges:
        wanted = f"{select} WHERE id > {start} AND id <= {start + BATCH}"
        rows = (await ask(session, source, {"stmt": wanted}))["rows"]
        answer = await ask(session, target, {"stmt": insert, "bulk_args": rows})
        if any(result["rowcount"] != 1 for result in answer["results"]):
            raise SystemExit("not all rows of a batch were written")


async def main(source, target, select, insert, rows):
    # Whoever is free takes the next range.
    ranges = iter(range(0, int(rows), BATCH))
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=600)) as session:
        workers = [work(session, source, target, select, insert, ranges) for _ in range(CONNECTIONS)]
        await asyncio.gather(*workers)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
