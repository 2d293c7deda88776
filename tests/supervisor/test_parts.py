"""The supervisor's parts, each by itself."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.polling import eventually
from tests.supervisor.conftest import LightRun, running
from worktool_ai.supervisor import __main__ as commands
from worktool_ai.supervisor.binaries import copied, find_postgres, find_valkey, is_open
from worktool_ai.supervisor.children import Child, Program
from worktool_ai.supervisor.environment import ROOT, process_environment
from worktool_ai.supervisor.layout import Credentials, Layout
from worktool_ai.supervisor.options import Options, OptionsError, listen, simulator_port
from worktool_ai.supervisor.output import Log, Tail
from worktool_ai.supervisor.processes import Identity, identify, kill_all, signal_process


def said(*lines: str) -> str:
    stream = io.StringIO()
    log = Log(stream)
    for line in lines:
        log.relay("worker-1", line)
    return stream.getvalue()


def test_json_lines_become_readable() -> None:
    record = {
        "time": "2026-11-22T08:00:00.123Z",
        "level": "warning",
        "logger": "robots",
        "event": "late",
        "room": "客服群",
    }
    line = said(json.dumps(record))
    assert line.endswith("warning worker-1     late logger=robots room=客服群\n")
    assert ".123 " in line


def test_values_with_blanks_are_quoted_and_exceptions_follow() -> None:
    record = {"event": "failed", "level": "error", "why": "two words", "n": 3, "exception": "Traceback\nValueError"}
    assert said(json.dumps(record)).endswith('failed why="two words" n=3\nTraceback\nValueError\n')


def test_other_lines_stay_as_they_are_and_empty_ones_are_dropped() -> None:
    assert said("", "{not json", "plain text").count("\n") == 2


class ClosedTerminal(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_lost_terminal_does_not_stop_the_log() -> None:
    Log(ClosedTerminal()).say("nobody hears this")


def test_tail_follows_a_file_that_begins_anew(tmp_path: Path) -> None:
    path, stream = tmp_path / "server.log", io.StringIO()
    path.write_text("old\n")
    tail = Tail("postgres", path, Log(stream))
    path.write_text("old\nfirst\nhal")
    tail.poll()
    path.write_text("anew\n")
    tail.poll()
    path.unlink()
    tail.poll()
    assert [line.split()[-1] for line in stream.getvalue().splitlines()] == ["first", "halanew"]


@pytest.mark.parametrize(
    "wrong", [{"PORT": "http"}, {"PORT": "0"}, {"SIMULATOR_PORT": "70000"}, {"WORKER_PROCESSES": "x"}]
)
def test_wrong_settings_are_named(wrong: dict[str, str]) -> None:
    with pytest.raises(OptionsError, match=next(iter(wrong))):
        Options.read(wrong)


def test_a_taken_simulator_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OptionsError, match=f"SIMULATOR_PORT={port}"):
            simulator_port(Options.read({"SIMULATOR_PORT": str(port)}))


def test_the_listening_socket_has_no_delay() -> None:
    with listen(Options.read({})) as listening:
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_credentials_are_kept_and_completed(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    first = Credentials.load(path)
    assert Credentials.load(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    stored = json.loads(path.read_text())
    del stored["callback_key"]
    path.write_text(json.dumps(stored))
    completed = Credentials.load(path)
    assert completed.secret_key == first.secret_key
    assert completed.callback_key


def test_production_gets_no_generated_secret(tmp_path: Path) -> None:
    layout, credentials = Layout(tmp_path), Credentials.generate()
    made = process_environment(layout, credentials, {"ENVIRONMENT": "production", "SECRET_KEY": ""}, {})
    assert "SECRET_KEY" not in made
    embedded = process_environment(layout, credentials, {"SECRET_KEY": "mine", "ADMIN_PASSWORD": ""}, {})
    assert embedded["SECRET_KEY"] == "mine"
    assert embedded["ADMIN_PASSWORD"] == credentials.admin_password


def test_a_recycled_pid_is_never_signalled() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as innocent:
        signal_process(Identity(innocent.pid, "long ago"), signal.SIGKILL)
        assert innocent.poll() is None
        kill_all([identify(innocent.pid)], first=signal.SIGTERM, grace=5)
    assert innocent.returncode == -signal.SIGTERM


def test_what_ignores_the_request_is_killed() -> None:
    ignoring = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", ignoring], stdout=subprocess.PIPE) as stubborn:
        stubborn.stdout.readline()
        kill_all([identify(stubborn.pid)], grace=0.1)
    assert stubborn.returncode == -signal.SIGKILL


def test_copied_programs_run_for_everybody(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    before = os.umask(0o077)
    try:
        postgres = find_postgres().copied_to(private / "programs")
        valkey = copied(find_valkey(), private)
    finally:
        os.umask(before)
    assert not is_open(valkey)
    private.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    assert is_open(valkey)
    user = "nobody" if os.geteuid() == 0 else None
    for program in (postgres.program("initdb"), valkey):
        shown = subprocess.run([program, "--version"], user=user, cwd="/", capture_output=True, text=True, check=True)
        assert shown.stdout


@pytest.mark.parametrize(("arguments", "status"), [(["dance"], 2), (["clean-data"], 0)])
def test_command_line(arguments: list[str], status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "none"))
    assert commands.main(arguments) == status


def test_command_line_names_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "many")
    assert commands.main(["run"]) == 2
    assert "PORT=many" in capsys.readouterr().err


def test_command_line_refuses_foreign_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "letter.txt").touch()
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    assert commands.main(["clean-data"]) == 1


@pytest.mark.integration
def test_an_interrupt_that_reaches_make_alone_stops_the_run(light: LightRun, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(f"run:\n\t@cd {ROOT} && exec {sys.executable} -m tests.supervisor.light\n")
    with subprocess.Popen(
        ["make", "-f", str(tmp_path / "Makefile"), "run"],
        env=light.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # a shell that runs the tests in the background has them ignore interrupts, and make would inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as make:
        run = eventually(lambda: (found := light.run_file()) and found["processes"]["worker"] and found)
        make.send_signal(signal.SIGINT)
        eventually(lambda: not running(run))
    assert light.run_file() is None


@pytest.mark.integration
def test_the_web_process_serves_on_a_given_socket() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        subprocess.Popen(
            [sys.executable, "-m", "worktool_ai.supervisor.web", "--fd", str(listening.fileno())],
            cwd=ROOT,
            pass_fds=[listening.fileno()],
        ) as web,
    ):
        try:
            with socket.create_connection(listening.getsockname(), timeout=60) as client:
                client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = client.recv(65536)
        finally:
            web.terminate()
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.integration
def test_a_program_that_cannot_start_is_tried_ever_more_slowly() -> None:
    stream = io.StringIO()
    child = Child(
        Program("beat", (sys.executable, "-c", "raise SystemExit(4)"), 0, 1), 1, dict(os.environ), Log(stream)
    )
    started = time.monotonic()
    for _ in range(3):
        eventually(child.is_due)
        child.start(ROOT)
        eventually(child.notice_death)
    assert time.monotonic() - started > 0.3
    assert stream.getvalue().count("beat ended with status 4") == 3


def test_servers_of_a_deleted_data_folder_are_set_aside_not_started_with_foreign_passwords(tmp_path):
    layout = Layout(tmp_path / "data", tmp_path / "servers")
    layout.make()
    layout.make_server_dir()
    (layout.server_dir / "pgdata").write_text("of another data folder")
    aside = layout.set_aside_orphan()
    assert aside is not None
    assert (aside / "pgdata").exists()
    assert not layout.server_dir.exists()
    layout.make_server_dir()
    Credentials.load(layout.secrets_file)
    assert layout.set_aside_orphan() is None
