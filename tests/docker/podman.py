"""podman and podman-compose with a place of their own, on machines that have no Docker, no systemd or no registry."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.debian import sources_of_this_machine

ROOT: Final = Path(__file__).parents[2]
COMPOSE: Final = ROOT / "docker/compose.yaml"
DOCKERFILE: Final = ROOT / "docker/Dockerfile"
PODMAN_COMPOSE: Final = "podman-compose==1.6.0"
PROJECT: Final = "siaga112-test"

# A machine in a container may not raise limits, nor has it systemd to keep order.
_CONTAINERS: Final = """\
[containers]
default_ulimits = []
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "{folder}/tmp"
"""
_STORAGE: Final = """\
[storage]
driver = "overlay"
graphroot = "{folder}/storage"
runroot = "{folder}/run"
"""
_CERTIFICATES: Final = "/run/certificates-of-this-machine.crt"


class Failed(Exception):
    """A command that had to succeed did not; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Podman:
    """One private podman: its folder holds all it makes."""

    folder: Path
    settings: Mapping[str, str]
    """What compose.yaml asks of the operator."""

    def prepare(self) -> None:
        """Its configuration, and podman-compose in an environment of its own."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "containers.conf").write_text(_CONTAINERS.format(folder=self.folder))
        (self.folder / "storage.conf").write_text(_STORAGE.format(folder=self.folder))
        if not self._tool.exists():
            _run([sys.executable, "-m", "venv", str(self.folder / "tools")])
            _run([str(self.folder / "tools/bin/pip"), "install", "--quiet", PODMAN_COMPOSE])

    @property
    def _tool(self) -> Path:
        return self.folder / "tools/bin/podman-compose"

    @property
    def _env(self) -> dict[str, str]:
        return {
            **os.environ,
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            **self.settings,
        }

    def __call__(self, *arguments: str, typed: str | None = None) -> str:
        """What ``podman ARGUMENTS`` says."""
        return _run(["podman", *arguments], self._env, typed)

    def compose(self, *arguments: str) -> str:
        """What ``podman-compose ARGUMENTS`` says about our compose.yaml."""
        # One pod for all would have one network; here each service names its own.
        given = [f"--in-pod=false --project-name={PROJECT} --file={COMPOSE}".split(), list(arguments)]
        return _run([str(self._tool), *given[0], *given[1]], self._env)

    # -- images --------------------------------------------------------------------------------------------------------

    def base(self) -> str:
        """The image that the Dockerfile builds on: here already, from a registry, or made by debootstrap."""
        name = next(
            line.split("=", 1)[1]
            for line in DOCKERFILE.read_text(encoding="utf-8").splitlines()
            if line.startswith("ARG DEBIAN=")
        )
        if self._has(name):
            return f"{name} is here"
        try:
            self("pull", "--quiet", name)
        except Failed:
            suite = name.rpartition(":")[2].removesuffix("-slim")
            mirror = next(s.uri for s in sources_of_this_machine() if s.uri.rstrip("/").endswith("/debian"))
            root = self.folder / "base"
            _run(["debootstrap", "--variant=minbase", suite, str(root), mirror])
            shutil.rmtree(root / "var/lib/apt/lists", ignore_errors=True)
            (root / "var/lib/apt/lists/partial").mkdir(parents=True)
            for archive in (root / "var/cache/apt/archives").glob("*.deb"):
                archive.unlink()
            _run(["tar", "-C", str(root), "-cf", str(root.with_suffix(".tar")), "."])
            shutil.rmtree(root)
            self("import", "--quiet", str(root.with_suffix(".tar")), name)
            root.with_suffix(".tar").unlink()
            return f"{name} was made by debootstrap: no registry is reached from here"
        return f"{name} was pulled"

    def _has(self, image: str) -> bool:
        try:
            self("image", "exists", image)
        except Failed:
            return False
        return True

    def build(self, target: str) -> str:
        """One stage of the Dockerfile as the image that compose.yaml names; its size."""
        image = f"siaga112-{target}"
        self(
            *("build", "--network=host", f"--target={target}", f"--tag={image}", f"--file={DOCKERFILE}"),
            f"--ignorefile={DOCKERFILE}.dockerignore",
            *_of_this_machine(),
            str(ROOT),
        )
        return f"{image}: {int(self('image', 'inspect', '--format={{.Size}}', image)) // 1_000_000} MB"

    # -- containers ----------------------------------------------------------------------------------------------------

    def up(self, service: str) -> None:
        """Start one service of compose.yaml by itself."""
        self.compose("up", "--detach", "--no-deps", "--no-build", service)

    def container(self, service: str) -> str:
        return f"{PROJECT}_{service}_1"

    def healthy(self, service: str, *, within_s: float = 60) -> float:
        """Seconds until its own health check says yes. Nobody asks by itself where there is no systemd, so we do."""
        began = time.monotonic()
        while True:
            try:
                self("healthcheck", "run", self.container(service))
            except Failed as no:
                if time.monotonic() - began > within_s:
                    raise Failed(f"{service} is not healthy: {no}\n{self.logs(service)}") from no
                time.sleep(0.2)
            else:
                return time.monotonic() - began

    def done(self, service: str) -> str:
        """Wait for a service that runs once; what it said."""
        code = self("wait", self.container(service)).strip()
        said = self.logs(service)
        if code != "0":
            raise Failed(f"{service} ended with {code}: {said}")
        return said

    def logs(self, service: str) -> str:
        return self("logs", "--tail=30", self.container(service))

    def remove(self) -> None:
        """Containers and volumes; images too, when they are not to be kept."""
        try:
            self.compose("down", "--volumes", "--timeout=5")
        finally:
            if not os.environ.get("DOCKER_TEST_KEEP"):
                self("rmi", "--all", "--force")
                # podman keeps its storage mounted on itself, which `system reset` undoes, but not for us alone.
                subprocess.run(["umount", self.folder / "storage/overlay"], stderr=subprocess.DEVNULL, check=False)
                shutil.rmtree(self.folder)


def _of_this_machine() -> Iterator[str]:
    """How this machine reaches its package registries, lent to the build and never written into our files."""
    home = Path.home()
    for file, inside in (
        (Path("/etc/pip.conf"), "/etc/pip.conf"),
        (home / ".config/pip/pip.conf", "/root/.config/pip/pip.conf"),
        (home / ".npmrc", "/root/.npmrc"),
    ):
        if file.exists():
            yield f"--volume={file}:{inside}:ro"
    certificates = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))
    if certificates.exists():
        yield f"--volume={certificates}:{_CERTIFICATES}:ro"
        for name in ("SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS"):
            yield f"--env={name}={_CERTIFICATES}"
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "NPM_CONFIG_REGISTRY"):
        if name in os.environ:
            yield f"--env={name}={os.environ[name]}"


def _run(command: list[str], env: Mapping[str, str] | None = None, typed: str | None = None) -> str:
    done = subprocess.run(
        command, env=env, input=typed or "", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise Failed(f"{' '.join(command[:4])} … ended with {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout
