"""The code of a ticket number: whoever knows number and code may follow the report, and nobody can guess it.

It is made from the number with our own key, so there is nothing to keep and nothing to steal from the table. It is
read out on the telephone and typed by hand: in Crockford's base 32 no two characters look or sound alike, and what is
mistaken for another is understood.
"""

from hashlib import sha256
from hmac import compare_digest, digest
from typing import Final
from urllib.parse import urlencode

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH: Final = 12
_MISTAKEN: Final = str.maketrans("OIL", "011", "- ")


def token_for(secret: bytes, number: str) -> str:
    """60 bits: with tries that take longer and longer, more than anybody can guess."""
    bits = int.from_bytes(digest(secret, f"track:{number}".encode(), sha256))
    return "".join(ALPHABET[bits >> 5 * place & 31] for place in range(LENGTH))


def is_token(secret: bytes, number: str, token: str) -> bool:
    """Whether this is the code of that number, in the same time whatever is wrong."""
    return compare_digest(token_for(secret, number).encode(), token.upper().translate(_MISTAKEN).encode())


def tracking_url(page_url: str, secret: bytes, number: str) -> str:
    """The address to tell the citizen."""
    return f"{page_url}/track?{urlencode({'number': number, 'token': token_for(secret, number)})}"
