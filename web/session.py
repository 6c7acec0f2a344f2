"""Who is at the screen: signing in and out, and one-time tickets for the sockets that carry no cookie.

A session is a random 256-bit word in a cookie; only its hash is kept, so a stolen table opens no door. Failed sign-
ins are answered more and more slowly, but a right password is never refused for long: the last dispatcher must
always get in.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Final, Literal

import asyncpg
from aiohttp import web

from callcenter.passwords import hash_password, is_outdated, verify_password
from callcenter.store import Pool
from web.policy import NOBODY, Role, Viewer
from web.problem import Problem
from web.tries import Tries

COOKIE: Final = "siaga_session"
CSRF_HEADER: Final = "X-CSRF-Token"
TICKET_S: Final = 30

Purpose = Literal["live", "push"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session lasts unused, and at most."""

    idle: timedelta
    absolute: timedelta


# A shift has eight hours and a handover; a crew's phone rests in a pocket all day.
LIMITS: Final = {Role.UNIT: Limits(timedelta(hours=14), timedelta(hours=26))}
USUAL_LIMITS: Final = Limits(timedelta(hours=2), timedelta(hours=12))

# Writing down that a session is used, at most this often.
_TOUCH: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in (or nobody), for one request."""

    who: Viewer
    hash: bytes = b""
    csrf: str = ""
    language: str = "id"

    def has_token(self, request: web.Request) -> bool:
        """Whether the request comes from a page of ours, which alone can read the token."""
        sent = request.headers.get(CSRF_HEADER, "")
        return bool(self.csrf) and compare_digest(sent.encode(), self.csrf.encode())


NO_SESSION: Final = Session(NOBODY)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session and the secret word that goes into the cookie, and nowhere else."""

    word: str
    session: Session
    limit: timedelta


def digest(word: str) -> bytes:
    """What is kept of a secret word. It is random and long, so a plain hash is enough."""
    return sha256(word.encode()).digest()


def is_https(request: web.Request) -> bool:
    """Whether the browser came by TLS, to us or to the proxy before us."""
    return request.secure or request.headers.get("X-Forwarded-Proto") == "https"


class Doors:
    """Lets people in and out. One a process."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.tries = Tries(pool)
        # argon2 takes 64 MiB and a core for some 50 ms; two at a time leave the rest of the machine to the calls.
        self._hashing = asyncio.Semaphore(2)
        self._decoy: str | None = None

    async def session_of(self, request: web.Request) -> Session:
        """Who this request comes from."""
        word = request.cookies.get(COOKIE)
        if not word or len(word) > 100:
            return NO_SESSION
        row = await self._pool.fetchrow(
            """SELECT s.hash, s.csrf, now() - s.seen_at AS unused, a.login, a.name, a.role, a.agency, a.unit, a.language
               FROM session s JOIN account a ON a.login = s.account
               WHERE s.hash = $1 AND s.revoked_at IS NULL AND s.expires_at > now() AND a.active""",
            digest(word),
        )
        if row is None or row["unused"] > limits(Role(row["role"])).idle:
            return NO_SESSION
        if row["unused"] > _TOUCH:
            await self.touch([row["hash"]])
        return _session(row)

    async def touch(self, hashes: list[bytes]) -> None:
        """These sessions are in use."""
        await self._pool.execute("UPDATE session SET seen_at = now() WHERE hash = ANY($1)", hashes)

    async def sign_in(self, login: str, password: str, *, peer: str) -> SignedIn:
        """Let somebody in, or say no: in the same words and the same time whether the name or the password is wrong."""
        door = f"{login} from {peer}"
        await self.tries.count(door)
        row = await self._pool.fetchrow("SELECT * FROM account WHERE login = $1 AND active", login)
        kept = await self._decoy_hash() if row is None else row["password_hash"]
        if not await self._verify(kept, password) or row is None:
            raise Problem(401, "session.wrong", "name or password is wrong; check both and try again")
        await self.tries.forget(door)
        if is_outdated(kept):
            await self._rehash(login, password)
        return await self._open(row)

    async def _verify(self, kept: str, password: str) -> bool:
        async with self._hashing:
            return await asyncio.to_thread(verify_password, kept, password)

    async def _decoy_hash(self) -> str:
        if self._decoy is None:
            async with self._hashing:
                self._decoy = await asyncio.to_thread(hash_password, token_urlsafe())
        return self._decoy

    async def _rehash(self, login: str, password: str) -> None:
        async with self._hashing:
            fresh = await asyncio.to_thread(hash_password, password)
        await self._pool.execute("UPDATE account SET password_hash = $2 WHERE login = $1", login, fresh)

    async def _open(self, account: asyncpg.Record) -> SignedIn:
        word, csrf = token_urlsafe(32), token_urlsafe(32)
        limit = limits(Role(account["role"])).absolute
        await self._pool.execute(
            "INSERT INTO session (hash, account, csrf, expires_at) VALUES ($1, $2, $3, now() + $4)",
            digest(word),
            account["login"],
            csrf,
            limit,
        )
        return SignedIn(word, Session(_viewer(account), digest(word), csrf, account["language"]), limit)

    async def sign_out(self, session: Session) -> None:
        """This session ends; its sockets are closed within seconds."""
        await self._pool.execute("UPDATE session SET revoked_at = now() WHERE hash = $1", session.hash)

    async def is_in(self, login: str, *, since: datetime) -> bool:
        """Whether this account has a session that was used since then."""
        used: bool = await self._pool.fetchval(
            """SELECT EXISTS (SELECT FROM session
               WHERE account = $1 AND revoked_at IS NULL AND expires_at > now() AND seen_at >= $2)""",
            login,
            since,
        )
        return used

    async def revoke(self, login: str) -> int:
        """Every session of this account ends. Returns how many there were."""
        rows = await self._pool.fetch(
            """UPDATE session SET revoked_at = now()
               WHERE account = $1 AND revoked_at IS NULL AND expires_at > now() RETURNING 1""",
            login,
        )
        return len(rows)

    async def speak(self, login: str, language: str) -> None:
        """Remember the language a person wants to read."""
        await self._pool.execute("UPDATE account SET language = $2 WHERE login = $1", login, language)

    async def ticket(self, session: Session, purpose: Purpose) -> str:
        """A word that opens one socket, once, within half a minute."""
        word = token_urlsafe(32)
        await self._pool.execute(
            """INSERT INTO ticket (hash, account, session, purpose, expires_at)
               VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5))""",
            digest(word),
            session.who.login,
            session.hash,
            purpose,
            TICKET_S,
        )
        return word

    async def redeem(self, word: str, purpose: Purpose) -> Session | None:
        """Use a ticket up. None when it is unknown, used, too old, for something else, or its session has ended."""
        row = await self._pool.fetchrow(
            """DELETE FROM ticket t USING session s, account a
               WHERE t.hash = $1 AND t.purpose = $2 AND t.expires_at > now()
                 AND s.hash = t.session AND s.revoked_at IS NULL AND s.expires_at > now()
                 AND a.login = t.account AND a.active
               RETURNING s.hash, s.csrf, a.login, a.name, a.role, a.agency, a.unit, a.language""",
            digest(word),
            purpose,
        )
        return None if row is None else _session(row)

    async def ended(self, hashes: list[bytes]) -> set[bytes]:
        """Which of these sessions no longer let anybody in."""
        rows = await self._pool.fetch(
            """SELECT s.hash FROM session s JOIN account a ON a.login = s.account
               WHERE s.hash = ANY($1) AND s.revoked_at IS NULL AND s.expires_at > now() AND a.active""",
            hashes,
        )
        return set(hashes) - {row["hash"] for row in rows}

    async def tidy(self) -> None:
        """Forget what is over: old tries, tickets and sessions."""
        await self.tries.tidy()
        await self._pool.execute("DELETE FROM ticket WHERE expires_at < now()")
        await self._pool.execute("DELETE FROM session WHERE expires_at < now() - interval '1 day'")
        # A client that has not asked again for a week will not.
        await self._pool.execute("DELETE FROM idempotency WHERE at < now() - interval '7 days'")


def limits(role: Role) -> Limits:
    """How long a person of this role stays signed in."""
    return LIMITS.get(role, USUAL_LIMITS)


def _session(row: asyncpg.Record) -> Session:
    return Session(_viewer(row), row["hash"], row["csrf"], row["language"])


def _viewer(row: asyncpg.Record) -> Viewer:
    return Viewer(row["login"], row["name"], Role(row["role"]), row["agency"], row["unit"])
