"""The secret of a ticket number: whoever knows number and secret may follow the report, and nobody can guess it.

It is made from the number with our own key, so there is nothing to keep and nothing to steal from the table.
"""

from base64 import urlsafe_b64encode
from hashlib import sha256
from hmac import compare_digest, digest
from urllib.parse import urlencode


def token_for(secret: bytes, number: str) -> str:
    """132 bits, short enough to be read out or printed."""
    return urlsafe_b64encode(digest(secret, f"track:{number}".encode(), sha256))[:22].decode()


def is_token(secret: bytes, number: str, token: str) -> bool:
    """Whether this is the secret of that number, in the same time whatever is wrong."""
    return compare_digest(token_for(secret, number).encode(), token.encode())


def tracking_url(page_url: str, secret: bytes, number: str) -> str:
    """The address to tell the citizen."""
    return f"{page_url}/track?{urlencode({'number': number, 'token': token_for(secret, number)})}"
