"""Asterisk as a guest: what is written for it, where it lives, and that it never outlives us."""

import asyncio
import os
import shutil
import signal
import stat
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from config.debian import Source, candidates, sources_of_this_machine
from config.pbx import Asterisk, Exchange, Pbx, PbxError, Trunk, render
from tests.support import pbx
from tests.support.pbx import ami, eventually, is_listening, log_of

NO_PBX = Pbx(("/bin/false",), Path("/nonexistent/modules"), Path("/nonexistent/data"), "22.0.0")

DEB822 = """\
# a comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""
ONE_LINE = """\
deb [arch=amd64 signed-by=/k.gpg] http://old.example/debian/ bookworm main # the old spelling
deb-src http://old.example/debian bookworm main
deb https://packages.example/cloud cloud-bookworm main
"""


def test_the_machines_own_mirrors_are_found_in_both_spellings(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/debian.sources").write_text(DEB822)
    (tmp_path / "sources.list").write_text(ONE_LINE)
    found = list(candidates(sources_of_this_machine(tmp_path), "debian"))
    assert [(source.uri, source.suite) for source in found] == [
        ("http://old.example/debian/", "testing"),
        ("http://old.example/debian/", "sid"),
        ("http://mirror.example/debian", "testing"),
        ("http://mirror.example/debian", "sid"),
    ]
    assert found[0] == Source("http://old.example/debian/", "testing", ("main",), "/k.gpg")


def test_ubuntu_has_asterisk_in_its_own_suite() -> None:
    mirror = Source("http://archive.example/ubuntu", "noble-updates", ("main", "universe"), None)
    assert list(candidates([mirror], "ubuntu")) == [replace(mirror, suite="noble")]


def settings(folder: Path) -> Exchange:
    return pbx.exchange(folder, phones=("sip:desk@127.0.0.1:5090",))


def test_what_is_written_is_for_our_eyes_only(tmp_path: Path) -> None:
    conf = render(settings(tmp_path), NO_PBX)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in conf.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(conf.parent.stat().st_mode) == 0o700
    assert "@{" not in "".join(path.read_text() for path in conf.parent.iterdir())


def test_writing_it_again_keeps_what_asterisk_has_learnt(tmp_path: Path) -> None:
    exchange = settings(tmp_path)
    render(exchange, NO_PBX)
    learnt = exchange.folder / "db/astdb.sqlite3"
    learnt.write_text("passwords")
    render(replace(exchange, seats=2), NO_PBX)
    assert learnt.read_text() == "passwords"
    assert "seat-03" not in (exchange.folder / "etc/queues.conf").read_text()


@pytest.mark.parametrize(
    "odd",
    [
        {"ami_secret": "short"},
        {"ami_secret": "long enough but\nwith a line end"},
        {"trunks": (Trunk("x]\n[evil", ("127.0.0.1",)),)},
        {"trunks": (Trunk("x", ("127.0.0.1\nendpoint=seat-01",)),)},
        {"fallback_phones": ("sip:a@b\ncontact=sip:evil",)},
        {"public_host": "a\nb"},
        {"host": "0.0.0.0\nx"},
    ],
)
def test_nothing_that_would_start_a_new_line_is_written(tmp_path: Path, odd: dict[str, str]) -> None:
    with pytest.raises(PbxError, match="cannot be written"):
        render(replace(settings(tmp_path), **odd), NO_PBX)  # type: ignore[arg-type]  # odd on purpose


def test_a_deep_folder_still_has_a_short_control_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    conf = render(settings(deep), NO_PBX)
    run = next(line for line in conf.read_text().splitlines() if line.startswith("astrundir"))
    assert len(run.split("=>")[1].strip()) < 90


async def test_an_asterisk_that_cannot_take_calls_does_not_start_and_says_why(tmp_path: Path) -> None:
    found = await asyncio.to_thread(pbx.find_asterisk)
    with pytest.raises(PbxError, match=r"ended while starting: .*Failed to load module"):
        await Asterisk(settings(tmp_path), replace(found, modules=tmp_path / "nothing")).start()


PARENT = """
import asyncio, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.support import pbx
from config.pbx import Asterisk

async def main():
    settings = pbx.exchange(Path({folder!r}))
    asterisk = Asterisk(settings, pbx.find_asterisk())
    await asterisk.start()
    print(settings.ami_port, asterisk.process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_asterisk_ends_with_whoever_started_it_however_that_ended(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PARENT.format(root=root, folder=str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    async with asyncio.timeout(30):
        port, pid = map(int, (await parent.stdout.readline()).split())
    assert is_listening(port)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()

    async def gone() -> bool:
        return not is_listening(port) and not Path(f"/proc/{pid}/exe").exists()

    assert await eventually(gone, within_s=10)


PLAIN_USER = 65534  # nobody, everywhere


async def test_asterisk_runs_as_a_plain_user() -> None:
    """As whoever runs the tests; and when that is root, as nobody."""
    found = await asyncio.to_thread(pbx.find_asterisk)
    with TemporaryDirectory(prefix="siaga112-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        exchange = settings(folder)
        other = PLAIN_USER if os.geteuid() == 0 else None
        if other is not None:
            found = copied_for_everybody(found, folder / "copy")
        conf = render(exchange, found)
        for path in folder.rglob("*") if other is not None else ():
            os.chown(path, PLAIN_USER, PLAIN_USER)
        process = await asyncio.create_subprocess_exec(
            *found.command,
            *("-C", str(conf), "-f", "-n"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            user=other,
            group=other,
            extra_groups=None if other is None else [],
        )

        async def takes_calls() -> bool:
            return is_listening(exchange.ami_port) and "Queue: 112" in await ami(exchange, "Action: QueueStatus")

        try:
            assert await eventually(takes_calls, within_s=10), log_of(exchange)
        finally:
            process.kill()
            await process.wait()


def copied_for_everybody(found: Pbx, folder: Path) -> Pbx:
    """Root's cache is closed to others, so they get a copy; an installed Asterisk is everybody's already."""
    root = next((parent for parent in Path(found.command[-1]).parents if parent.name.startswith("asterisk-")), None)
    if root is None:
        return found
    shutil.copytree(root, folder)

    def moved(path: str | Path) -> str:
        return str(path).replace(str(root), str(folder))

    return Pbx(
        tuple(moved(word) for word in found.command), Path(moved(found.modules)), Path(moved(found.data)), found.version
    )
