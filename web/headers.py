"""What every answer tells the browser: run only our own files, be framed by nobody, give nothing away."""

import re
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from web.desk import Doorplate
from web.session import is_https

_HOST: Final = re.compile(r"^[A-Za-z0-9.:\[\]-]+$")

ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # A tracking page's address holds its secret, so no address of ours is ever passed on.
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "microphone=(self), geolocation=(self), autoplay=(self), screen-wake-lock=(self), "
        "camera=(), display-capture=(), payment=(), usb=()"
    ),
}
# A worker lives under the policy that its own script came with, not under that of the page that started it.
_RUNS: Final = frozenset({"text/html", "text/javascript", "application/javascript"})
_NOTHING: Final = "default-src 'none'; frame-ancestors 'none'"


def policy(request: web.Request, doorplate: Doorplate, tiles_url: str | None) -> str:
    """The content security policy of a page: our own origin, our two other doors, and the map tiles if any."""
    doors = [doorplate.live_url(request), doorplate.push_url(request), doorplate.sip_url(request)]
    sockets = " ".join(dict.fromkeys(_origin(door) for door in doors))
    tiles = _origin(tiles_url) if tiles_url else ""
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "font-src": "'self'",
        "img-src": f"'self' data: blob: {tiles}",
        "connect-src": f"'self' {sockets} {tiles}",
        "media-src": "'self' blob:",
        # The map draws in a worker that it makes from a blob.
        "worker-src": "'self' blob:",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {' '.join(value.split())}" for name, value in rules.items())


def put(response: web.StreamResponse, request: web.Request, doorplate: Doorplate, tiles_url: str | None) -> None:
    """Add what is missing."""
    for name, value in ALWAYS.items():
        response.headers.setdefault(name, value)
    is_page = response.content_type in _RUNS and _HOST.match(request.host)
    csp = policy(request, doorplate, tiles_url) if is_page else _NOTHING
    response.headers.setdefault("Content-Security-Policy", csp)
    if is_https(request):
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")


def _origin(url: str) -> str:
    """Scheme, host and port; tile addresses hold {braces} that do not belong into a policy."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".replace("{s}.", "*.")
