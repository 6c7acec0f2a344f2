"""What the doctor says of machines in all conditions."""

import socket
from pathlib import Path

import pytest

from config import doctor, launch, pbx
from config.doctor import Finding, How, examine, report
from config.settings import load
from tests.support.sip import free_port

PORTS = ("HTTP_PORT", "PUSH_PORT", "SIP_PORT", "SIP_WS_PORT", "AGI_PORT", "AMI_PORT")


@pytest.fixture(autouse=True)
def _a_machine_of_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIAGA_STATE", str(tmp_path / "state"))
    for name in PORTS:
        monkeypatch.setenv(f"SIAGA_{name}", str(free_port()))


def of(what: str, findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.what == what]


def test_a_sound_machine_has_nothing_wrong_but_what_was_not_built_yet() -> None:
    wrong = {finding.what for finding in examine() if finding.how is How.WRONG}
    assert wrong <= {"consoles"}


def test_settings_that_make_no_sense_are_one_clear_line_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIAGA_SEATS", "many")
    findings = examine()
    assert [finding.how for finding in findings] == [How.WRONG]
    assert findings[0].says.startswith("seats (SIAGA_SEATS): Input should be a valid integer")


def test_a_taken_port_is_named_with_its_holder_and_the_setting_that_moves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        monkeypatch.setenv("SIAGA_HTTP_PORT", str(port))
        (finding,) = of("ports", examine())
    assert finding.how is How.WRONG
    assert f"tcp port {port} is in use by" in finding.says
    assert "SIAGA_HTTP_PORT" in finding.do


def test_the_ports_of_our_own_running_system_are_not_in_the_way() -> None:
    with launch.only_one(load()):
        (finding,) = of("ports", examine())
    assert finding.how is How.OK
    assert "is running from this state folder" in finding.says


def test_a_misspelt_setting_in_the_environment_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIAGA_HTPP_PORT", "80")
    assert "SIAGA_HTPP_PORT is set, but there is no such setting" in [finding.says for finding in examine()]


def test_a_database_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIAGA_DSN", f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    (finding,) = of("PostgreSQL", examine())
    assert finding.how is How.WRONG
    assert finding.do == "start that server, or correct SIAGA_DSN"


def test_a_machine_without_asterisk_and_without_apt_is_told_where_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pbx, "installed", lambda: None)
    monkeypatch.setenv("SIAGA_CACHE", "/nonexistent")
    monkeypatch.setenv("PATH", "/nonexistent")
    (finding,) = of("Asterisk", examine())
    assert finding.how is How.WRONG
    assert "install Asterisk 20 or newer" in finding.do


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ROOM_MIB", 2**40)
    (finding,) = of("disk", examine())
    assert finding.how is How.WRONG


def test_the_report_says_what_to_do_and_whether_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert not report([Finding("ports", How.WRONG, "taken", "free it"), Finding("disk", How.OK, "room")])
    said = capsys.readouterr().out
    assert "WRONG  ports        taken\n                    → free it\nok     disk         room" in said
    assert said.endswith("1 to put right before siaga112 can run.\n")
    assert report([Finding("disk", How.OK, "room")])
