"""``python -m tests.docker``, which ``make docker-test`` runs: the containers, from nothing to a call that is answered.

Building needs the network. Everything after that happens in a network of our own, as if on a machine of its own, at
the ports that production has.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import aiohttp

from tests.docker.podman import COMPOSE, ROOT, Failed, Podman
from tests.docker.story import (
    LASTING,
    NAME,
    Room,
    a_call_is_answered,
    a_call_rings_the_desk,
    a_call_rings_with_asterisk_alone,
    everything_is_sealed,
    the_door_is_locked,
    what_dies_comes_back,
)

FOLDER: Final = Path(os.environ.get("DOCKER_TEST_FOLDER", "/var/tmp/siaga112-docker-test"))
ADDRESS: Final = "192.0.2.10"
TARGETS: Final = ("asterisk", "postgres", "room", "door")
DESK_PORT: Final = 7060
SETTINGS: Final = f"""\
city = "tangerang"
seats = 2
fallback_phones = ["sip:desk@127.0.0.1:{DESK_PORT}"]

[[trunks]]
name = "telkom"
match = ["127.0.0.1"]
area = "36.71"
"""


@contextmanager
def step(name: str) -> Iterator[None]:
    """Say what is going on, and how long it took."""
    began = time.monotonic()
    yield
    say(f"✓ {name} ({time.monotonic() - began:.1f} s)")


def say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def machine_room() -> Podman:
    return Podman(
        FOLDER,
        {
            "SIAGA_PUBLIC_HOST": NAME,
            "SIAGA_SIP_HOST": ADDRESS,
            "SIAGA_SETTINGS": str(FOLDER / "siaga112.toml"),
            "SIAGA_SECRETS": str(FOLDER / "secrets"),
            "SIAGA_CERTIFICATES": str(FOLDER / "certificates"),
        },
    )


def build(podman: Podman) -> None:
    """Everything that needs the outside."""
    podman.prepare()
    with step("the base image"):
        say(f"  {podman.base()}")
    for target in TARGETS:
        with step(f"build {target}"):
            say(f"  {podman.build(target)}")


def set_up(podman: Podman) -> None:
    """What an operator does once: docker/setup, and filling in the settings."""
    FOLDER.joinpath("siaga112.toml").write_text(SETTINGS)
    FOLDER.joinpath("certificates").mkdir(exist_ok=True)
    examples = [COMPOSE.parent / name for name in (".env", "siaga112.toml")]
    made = [path for path in examples if not path.exists()]
    subprocess.run([COMPOSE.parent / "setup"], env={**os.environ, **podman.settings}, check=True)
    for path in made:
        path.unlink()


async def tell(podman: Podman) -> None:
    """The story, in the order in which a bad day would have it: the telephone first."""
    for words in ("link set lo up", f"address add {ADDRESS}/32 dev lo"):
        subprocess.run(["ip", *words.split()], check=True)  # noqa: ASYNC221 -- nothing else runs yet
    room = Room(podman, FOLDER, ADDRESS, DESK_PORT)
    with step("Asterisk alone is healthy"):
        podman.up("asterisk")
        podman.healthy("asterisk")
    with step("with nothing else running, a call rings the desk phone and is heard"):
        await a_call_rings_with_asterisk_alone(room)
    with step("PostgreSQL is healthy"):
        podman.up("postgres")
        podman.healthy("postgres")
    with step("schema, city and the first administrator"):
        podman.up("migrate")
        say("  " + podman.done("migrate").strip().replace("\n", "\n  "))
    for service in ("agi", "dispatch", "web", "door"):
        with step(f"{service} is healthy"):
            podman.up(service)
            podman.healthy(service)
    async with room.browser_session() as session:
        with step("/health/ready through the door"):
            say(f"  {await room.ready(session)}")
        with step("production's door: the administrator enters, the demonstration's accounts do not"):
            await the_door_is_locked(room, session)
        with step("the call that came before is one incident"):
            say(f"  {await room.each_has_an_incident(1)}")
    password = "siaga-112-demo"  # what the pages' helpers type; here it is a person's own
    podman("exec", "--interactive", podman.container("web"), *room.gives("sari", "call_taker"), typed=password)
    with step("a call through the trunk rings in a page, with its incident, and both hear each other"):
        say(f"  {await a_call_is_answered(room)}")
    with step("nobody is root, programs cannot be changed, no secret shows"):
        everything_is_sealed(room)
    for service in LASTING:
        with step(f"{service} is killed and comes back"):
            what_dies_comes_back(room, service)
    with step("afterwards a call rings the desk phone, with its incident"):
        await a_call_rings_the_desk(room, "081298760000")
        say(f"  {await room.each_has_an_incident(3)}")
    with step("a second start changes nothing"):
        podman.up("migrate")
        say("  " + podman.done("migrate").strip().replace("\n", "\n  "))
    with step("the log and the rows agree"):
        say("  " + podman("exec", podman.container("web"), "siaga112", "audit").strip())


def inside() -> None:
    """In a network of our own."""
    podman = machine_room()
    try:
        asyncio.run(tell(podman))
    except (Failed, AssertionError, aiohttp.ClientError):
        for service in ("migrate", *LASTING):
            try:
                say(f"--- {service}\n{podman.logs(service)}")
            except Failed:
                continue
        raise


def main(arguments: list[str]) -> None:
    if arguments == ["inside"]:
        inside()
        return
    podman = machine_room()
    try:
        build(podman)
        set_up(podman)
        story = [sys.executable, "-m", "tests.docker", "inside"]
        code = subprocess.run(["unshare", "--net", *story], cwd=ROOT, check=False).returncode
    except Failed as trouble:
        sys.exit(f"docker-test: {trouble}")
    finally:
        with step("everything is taken away"):
            podman.remove()
    if code:
        sys.exit(code)
    say("The containers answer 112.")


if __name__ == "__main__":
    main(sys.argv[1:])
