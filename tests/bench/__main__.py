"""``python -m tests.bench [names]``: one JSON line a result, as ``make bench`` prints them."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence

from tests.bench import create, follow, intake, push, rank
from tests.bench.result import Result, say

BENCHES: dict[str, Callable[[], Awaitable[Sequence[Result]]]] = {
    "create": create.run,
    "follow": follow.run,
    "intake": intake.run,
    "push": push.run,
    "rank": rank.run,
}


def main(names: list[str]) -> None:
    unknown = sorted(set(names) - BENCHES.keys())
    if unknown:
        sys.exit(f"no such bench: {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    for name in names or BENCHES:
        say(f"{name} …")
        for result in asyncio.run(_awaited(BENCHES[name]())):
            sys.stdout.write(result.line() + "\n")
            sys.stdout.flush()


async def _awaited(results: Awaitable[Sequence[Result]]) -> Sequence[Result]:
    return await results


if __name__ == "__main__":
    main(sys.argv[1:])
