"""Asterisk for a machine that has none: Debian's own packages, fetched into a folder of their own.

Nothing is installed on the machine. A private apt root borrows the machine's mirror and asks for a suite that has
Asterisk; what the programs really need is taken out of the packages and started by its own loader.
"""

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

Say = Callable[[str], None]

WANTED: Final = ("asterisk", "asterisk-modules", "asterisk-core-sounds-en-gsm")
# Libraries that a library loads by name when it is first used, so no listing shows them: without NSS's own ciphers
# libsrtp does not start, and a machine that has no libnss3 would have no Asterisk (seen 2026-11-24).
LOADED_LATER: Final = ("libsoftokn3.so", "libfreebl3.so", "libfreeblpriv3.so")
DEBIAN_SUITES: Final = ("testing", "sid")  # Debian 12 and 13 have no asterisk package (2026-11)
KEYRINGS: Final = ("/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/ubuntu-archive-keyring.gpg")
APT_FOLDERS: Final = (
    "etc/apt/apt.conf.d",
    "etc/apt/preferences.d",
    "etc/apt/sources.list.d",
    "etc/apt/trusted.gpg.d",
    "var/lib/apt/lists/partial",
    "var/cache/apt/archives/partial",
    "var/lib/dpkg",
)


class NoAsterisk(Exception):
    """There is no Asterisk and none could be fetched; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Source:
    """A place where packages come from, as the machine's own apt knows it."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str | None


def fetch(into: Path, modules: Iterable[str], say: Say) -> None:
    """Make ``into`` a folder with Asterisk, its modules and every library they need; all or nothing."""
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise NoAsterisk(f"{' and '.join(missing)} not found: install asterisk 20 or newer yourself, or use the image")
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=".fetching-") as work_name:
        work = Path(work_name)
        archives = _download(work / "apt", say)
        say(f"unpacking {len(archives)} packages")
        for archive in archives:
            _run(["dpkg-deb", "-x", str(archive), str(work / "root")])
        (work / "kept").mkdir()
        _keep(work / "root", work / "kept", tuple(modules))
        # A neighbour may have been quicker; either folder is as good.
        if not into.exists():
            (work / "kept").rename(into)
    say(f"Asterisk is in {into}")


def sources_of_this_machine(folder: Path = Path("/etc/apt")) -> list[Source]:
    """What the machine's own apt would ask, in both spellings apt reads."""
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    found: list[Source] = []
    for file in files:
        if file.suffix == ".sources":
            found += _deb822(file.read_text(encoding="utf-8"))
        elif file.suffix == ".list" and file.is_file():
            found += _one_line(file.read_text(encoding="utf-8"))
    return found


def candidates(sources: Iterable[Source], distribution: str) -> Iterator[Source]:
    """The same mirrors, asked for a suite that has Asterisk."""
    seen: set[tuple[str, str]] = set()
    for source in sources:
        host = urlsplit(source.uri)
        if (
            "main" not in source.components
            or "security" in source.suite
            or not host.path.rstrip("/").endswith(f"/{distribution}")
        ):
            continue
        suites = DEBIAN_SUITES if distribution == "debian" else (source.suite.split("-")[0],)
        components = ("main",) if distribution == "debian" else ("main", "universe")
        for suite in suites:
            if (source.uri, suite) not in seen:
                seen.add((source.uri, suite))
                yield Source(source.uri, suite, components, source.signed_by)


def _deb822(text: str) -> Iterator[Source]:
    for stanza in text.split("\n\n"):
        fields: dict[str, str] = {}
        for line in stanza.splitlines():
            if not line.startswith("#") and ":" in line and not line.startswith(" "):
                name, value = line.split(":", 1)
                fields[name.strip().lower()] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") == "no":
            continue
        signed_by = fields.get("signed-by")
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(uri, suite, tuple(fields.get("components", "").split()), signed_by)


def _one_line(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if not words or words[0] != "deb":
            continue
        options = ""
        if len(words) > 1 and words[1].startswith("["):
            closing = next((n for n, word in enumerate(words) if word.endswith("]")), 1)
            options = " ".join(words[1 : closing + 1]).strip("[]")
            words = [words[0], *words[closing + 1 :]]
        if len(words) < 3:
            continue
        signed_by = next((o.split("=", 1)[1] for o in options.split() if o.startswith("signed-by=")), None)
        yield Source(words[1], words[2], tuple(words[3:]), signed_by)


def _distribution() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "debian"
    return "ubuntu" if "ubuntu" in (release.get("ID", ""), *release.get("ID_LIKE", "").split()) else "debian"


def _download(apt: Path, say: Say) -> list[Path]:
    distribution = _distribution()
    tried: list[str] = []
    for source in candidates(sources_of_this_machine(), distribution):
        say(f"asking {source.uri} {source.suite} for Asterisk")
        try:
            return _download_from(apt, source, say)
        except subprocess.CalledProcessError as error:
            reason = (error.stderr or error.stdout or "").strip().splitlines()
            tried.append(f"{source.uri} {source.suite}: {reason[-1] if reason else error}")
            shutil.rmtree(apt, ignore_errors=True)
    raise NoAsterisk(
        "no Asterisk could be fetched (" + ("; ".join(tried) or f"apt knows no {distribution} mirror") + "). "
        "Install asterisk 20 or newer, or use the image in docker/"
    )


def _download_from(apt: Path, source: Source, say: Say) -> list[Path]:
    for folder in APT_FOLDERS:
        (apt / folder).mkdir(parents=True, exist_ok=True)
    (apt / "var/lib/dpkg/status").touch()
    keyring = source.signed_by if source.signed_by and source.signed_by.startswith("/") else _keyring()
    signed = f" [signed-by={keyring}]" if keyring else ""
    (apt / "etc/apt/sources.list").write_text(
        f"deb{signed} {source.uri} {source.suite} {' '.join(source.components)}\n", encoding="utf-8"
    )
    options = [
        f"Dir={apt}",
        f"Dir::State::status={apt}/var/lib/dpkg/status",
        "APT::Install-Recommends=false",
        "APT::Sandbox::User=root" if os.geteuid() == 0 else "APT::Sandbox::User=",
        "Acquire::Check-Valid-Until=false",  # a mirror's testing suite can be past its date
        "Acquire::Languages=none",
        "Acquire::Retries=3",
    ]
    apt_get = ["apt-get", "-q", "-y", *(word for option in options for word in ("-o", option))]
    _run([*apt_get, "update"])
    say("downloading Asterisk and its libraries (about 80 MB)")
    _run([*apt_get, "install", "--download-only", *WANTED])
    return sorted((apt / "var/cache/apt/archives").glob("*.deb"))


def _keyring() -> str | None:
    return next((keyring for keyring in KEYRINGS if Path(keyring).exists()), None)


def loader_of(root: Path) -> tuple[Path, Path]:
    """The folder's own program loader and its library folder (``usr/lib/x86_64-linux-gnu``)."""
    for loader in sorted([*root.glob("usr/lib*/ld-linux-*.so.*"), *root.glob("usr/lib/*/ld-linux-*.so.*")]):
        libraries = next((folder.parent for folder in sorted(root.glob("usr/lib/*/libc.so.6"))), None)
        if libraries is not None:
            return loader, libraries
    raise NoAsterisk(f"{root} has no loader; remove that folder and start again")


def _keep(root: Path, kept: Path, modules: tuple[str, ...]) -> None:
    """Copy the program, the modules we load, and the libraries those ask for: a tenth of what was unpacked."""
    loader, libraries = loader_of(root)
    module_folder = libraries / "asterisk/modules"
    programs = [root / "usr/sbin/asterisk", *(module_folder / f"{name}.so" for name in modules)]
    absent = [program.name for program in programs if not program.exists()]
    if absent:
        raise NoAsterisk(f"these packages lack {', '.join(absent)}")
    programs += [libraries / name for name in LOADED_LATER if (libraries / name).exists()]
    files = {loader, libraries / "libc.so.6", *programs}
    for program in programs:
        listing = _run([str(loader), "--library-path", str(libraries), "--list", str(program)])
        files |= {Path(words[2]) for words in map(str.split, listing.splitlines()) if words[1:2] == ["=>"]}
    for file in files:
        if not file.is_relative_to(root):
            raise NoAsterisk(f"{file} was not among the packages")
        target = kept / file.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target)  # follows links, so that nothing points out of the folder
    for folder in ("usr/share/asterisk/documentation", "usr/share/asterisk/sounds"):
        if (root / folder).exists():
            shutil.copytree(root / folder, kept / folder, symlinks=False, ignore_dangling_symlinks=True)
    copyright_file = root / "usr/share/doc/asterisk/copyright"
    if copyright_file.exists():
        shutil.copy2(copyright_file, kept / "COPYRIGHT.asterisk")


def _run(command: list[str]) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    return done.stdout
