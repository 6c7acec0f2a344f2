"""The pages people look at: files made by the front end's build, handed out as they are."""

import re
from pathlib import Path
from typing import Final

from aiohttp import web

STATIC: Final = Path(__file__).parent / "static"

PAGES: Final = ("call", "board", "unit", "agency", "track", "figures")

# Vite puts a hash into the name, so what is under a name never changes.
_HASHED: Final = re.compile(r"-[A-Za-z0-9_-]{8,}\.[a-z0-9.]+$")
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"

# Said here, because the policy that goes with a file depends on it before the file is opened.
_TYPES: Final = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8"}

_NOT_BUILT: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Siaga 112</title>
<p>The pages are not built. The telephone and the interface under /api/v1 work.
To build the pages run <code>make setup</code>.
"""


def install(app: web.Application, folder: Path) -> None:
    """Put the pages on the map of addresses."""

    def page(name: str) -> None:
        async def show(_: web.Request) -> web.StreamResponse:
            return _file(folder, f"{name}.html")

        app.router.add_get("/" if name == "index" else f"/{name}", show, name=f"page-{name}")

    async def asset(request: web.Request) -> web.StreamResponse:
        return _file(folder, request.match_info["path"])

    for name in ("index", *PAGES):
        page(name)
    app.router.add_get("/{path:(?!api/|health/|metrics$).+}", asset, name="asset")


def _file(folder: Path, name: str) -> web.StreamResponse:
    path = _within(folder, name)
    if path is None:
        if name.endswith(".html") and not (folder / "index.html").is_file():
            return web.Response(text=_NOT_BUILT, status=503, content_type="text/html")
        raise web.HTTPNotFound
    headers = {"Cache-Control": _FOR_EVER if _HASHED.search(path.name) else _ASK_AGAIN}
    if path.suffix in _TYPES:
        headers["Content-Type"] = _TYPES[path.suffix]
    # Also sends a .br or .gz that lies beside the file, and answers If-None-Match and ranges.
    return web.FileResponse(path, headers=headers)


def _within(folder: Path, name: str) -> Path | None:
    """The file of that name, if it is one of the folder's to hand out."""
    try:
        path = (folder / name).resolve()
        is_ours = path.is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, ValueError):  # a name too long, or with a zero in it
        return None
    return path if is_ours and path.suffix not in {".gz", ".br"} else None
