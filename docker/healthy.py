"""Is this container well? Docker asks every few seconds: ``healthy.py agi``, ``dispatch``, ``web`` or ``asterisk``."""

import http.client
import socket
import subprocess
import sys

from config.pbx import PbxError, cache_folder, find_or_fetch
from config.settings import Settings, load

ANSWER_S = 3.0


def web(settings: Settings) -> bool:
    """The desk answers. The other parts are /health/ready's to name, and no reason to restart this one."""
    return _says_ok(settings.host, settings.http_port)


def dispatch(settings: Settings) -> bool:
    """The responders' door answers."""
    return _says_ok(settings.host, settings.push_port)


def agi(settings: Settings) -> bool:
    """Asterisk's questions are taken: hanging up at once is a call that said nothing, which agi knows."""
    with socket.create_connection(("127.0.0.1", settings.agi_port), timeout=ANSWER_S):
        return True


def asterisk(settings: Settings) -> bool:
    """Every module is loaded and the phone lines are open."""
    found = find_or_fetch(cache_folder(), lambda _: None)
    conf = settings.state / "asterisk/etc/asterisk.conf"
    said = subprocess.run(
        [*found.command, "-C", str(conf), "-rx", "core waitfullybooted"],
        capture_output=True,
        text=True,
        timeout=ANSWER_S,
        check=False,
    ).stdout
    return "fully booted" in said


def _says_ok(host: str, port: int) -> bool:
    line = http.client.HTTPConnection(host, port, timeout=ANSWER_S)
    try:
        line.request("GET", "/health/live")
        return line.getresponse().status == http.HTTPStatus.OK
    finally:
        line.close()


ASK = {"agi": agi, "asterisk": asterisk, "dispatch": dispatch, "web": web}

if __name__ == "__main__":
    try:
        sys.exit(0 if ASK[sys.argv[1]](load()) else f"{sys.argv[1]} is not ready")
    except (OSError, subprocess.SubprocessError, http.client.HTTPException, PbxError) as trouble:
        sys.exit(f"{sys.argv[1]} does not answer: {trouble}")
