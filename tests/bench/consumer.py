"""Follows the log in a process of its own and notes how old each new incident is when it arrives.

Says ``ready`` when it listens. A line on its input ends it: it waits until nothing more comes, then tells what it saw.
"""

import asyncio
import contextlib
import json
import sys
from datetime import UTC, datetime

from callcenter.bell import Bell
from callcenter.follow import Follower, head
from callcenter.store import open_pool

QUIET_S = 1.0


async def listen(dsn: str) -> None:
    pool = await open_pool(dsn, size=3, answer_s=30)
    bell = Bell()
    ages_ms: list[float] = []
    seen: set[str] = set()
    last = asyncio.get_running_loop().time()

    async def follow() -> None:
        nonlocal last
        async for batch in Follower(pool, bell, cursor=await head(pool)):
            now = datetime.now(UTC)
            last = asyncio.get_running_loop().time()
            for entry in batch:
                if entry.type == "IncidentOpened":
                    ages_ms.append((now - entry.at).total_seconds() * 1000)
                    seen.add(str(entry.subject))

    tasks = [asyncio.create_task(follow()), asyncio.create_task(bell.tend(pool))]
    await asyncio.sleep(0.3)  # LISTEN has no event to await; too early only means that the first wake is by the poll
    _say("ready")
    await asyncio.to_thread(sys.stdin.readline)
    while asyncio.get_running_loop().time() - last < QUIET_S:
        await asyncio.sleep(0.05)
    _say(json.dumps({"seen": len(seen), "told": len(ages_ms), "ages_ms": [round(age, 3) for age in ages_ms]}))
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    pool.terminate()


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(listen(sys.argv[1]))
