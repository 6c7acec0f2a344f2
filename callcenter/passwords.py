"""Passwords: kept as argon2id hashes, so that a stolen table opens no door."""

from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# RFC 9106's second recommended option (64 MiB, three passes): some 50 ms on one core, so callers do it in a thread.
_HASHER: Final = PasswordHasher()


def hash_password(password: str) -> str:
    """What is kept of a password."""
    return _HASHER.hash(password)


def verify_password(kept: str, password: str) -> bool:
    """Whether this is the password the hash was made from."""
    try:
        return _HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(kept: str) -> bool:
    """Whether the hash was made with weaker parameters than today's, and should be made anew at the next sign-in."""
    return _HASHER.check_needs_rehash(kept)
