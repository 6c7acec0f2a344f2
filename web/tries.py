"""Guessing takes longer and longer: after a few tries at one door, the next must wait, but never for long."""

from typing import Final

from callcenter.store import Pool
from web.problem import Problem

# After the free tries the next one must wait 2, 4, 8 … seconds, never more than a minute.
FREE: Final = 3
LONGEST_WAIT_S: Final = 60
FORGET_S: Final = 3600


class Tries:
    """Counts tries by door: any words that say who tries what."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def count(self, door: str, *, free: int = FREE) -> None:
        """Count the try before it is made, so that a hundred at once are a hundred. Refused when it is too soon."""
        counted = await self._pool.fetchval(
            """INSERT INTO sign_in_failure AS f (login, failures) VALUES ($1, 1)
               ON CONFLICT (login) DO UPDATE
               SET failures = CASE WHEN f.last_at < now() - make_interval(secs => $4) THEN 1 ELSE f.failures + 1 END,
                   last_at = now()
               WHERE f.failures <= $2
                  OR f.last_at <= now() - make_interval(secs => least(2 ^ least(f.failures - $2, 10), $3))
               RETURNING failures""",
            door,
            free,
            LONGEST_WAIT_S,
            FORGET_S,
        )
        if counted is not None:
            return
        wait_s = await self._pool.fetchval(
            """SELECT ceil(extract(epoch FROM last_at - now()) + least(2 ^ least(failures - $2, 10), $3))
               FROM sign_in_failure WHERE login = $1""",
            door,
            free,
            LONGEST_WAIT_S,
        )
        wait_s = max(1, int(wait_s or 1))
        raise Problem(
            429, "session.slow_down", f"too many tries; wait {wait_s} seconds and try again", retry_after_s=wait_s
        )

    async def take_back(self, door: str) -> None:
        """That try was right, so it does not count; the wrong ones before it do."""
        await self._pool.execute("UPDATE sign_in_failure SET failures = failures - 1 WHERE login = $1", door)

    async def forget(self, door: str) -> None:
        """Whoever tries here is who they say they are."""
        await self._pool.execute("DELETE FROM sign_in_failure WHERE login = $1", door)

    async def tidy(self) -> None:
        """Forget what is long ago."""
        await self._pool.execute(
            "DELETE FROM sign_in_failure WHERE last_at < now() - make_interval(secs => $1)", FORGET_S
        )
