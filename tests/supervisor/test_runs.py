"""What ``make run`` promises, shown with small programs on real servers."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from pathlib import Path

import psycopg
import pytest
import redis

from tests.polling import eventually
from tests.supervisor.conftest import LightRun, running
from worktool_ai.supervisor.clean import CleanError, clean_data
from worktool_ai.supervisor.output import Log
from worktool_ai.supervisor.processes import command_line

pytestmark = pytest.mark.integration

CREDENTIALS = ("admin_password", "simulator_token", "robot_id", "callback_key", "database_url", "redis_url")


def write_both(run: dict) -> None:
    with psycopg.connect(run["database_url"]) as database:
        database.execute("CREATE TABLE kept (word text)")
        database.execute("INSERT INTO kept VALUES ('退款')")
    with redis.Redis.from_url(run["redis_url"]) as client:
        client.set("kept", "退款")


def assert_kept(run: dict) -> None:
    with psycopg.connect(run["database_url"]) as database:
        assert database.execute("SELECT word FROM kept").fetchall() == [("退款",)]
    with redis.Redis.from_url(run["redis_url"]) as client:
        assert client.get("kept").decode() == "退款"


def test_clean_start_and_orderly_stop(light: LightRun) -> None:
    run = light.start("print('seeding')")
    assert set(run) == {
        "version", "url", "admin_user", "admin_password", "simulator_url", "simulator_token", "robot_id",
        "callback_key", "database_url", "redis_url", "server_dir", "supervisor", "processes",
    }  # fmt: skip
    assert set(run["processes"]) == {
        "web", "consumer", "worker", "beat", "relay", "postgres", "redis", "simulator",
    }  # fmt: skip
    assert run["supervisor"] == light.process.pid
    assert run["url"] == f"http://127.0.0.1:{light.port}"
    assert len(run["processes"]["worker"]) == 2
    assert len(run["processes"]["redis"]) == 2
    assert stat.S_IMODE((light.data_dir / "run.json").stat().st_mode) == 0o600
    assert light.get() == str(run["processes"]["web"][0])
    said = light.end(signal.SIGINT)
    assert light.process.returncode == 0
    assert not running(run)
    assert "prepare      seeding" in said
    assert "serving port=" in said
    credentials = json.loads((light.data_dir / "secrets").read_text(encoding="utf-8"))
    assert [name for name, secret in credentials.items() if secret and secret in said] == ["admin_password"]
    assert light.run_file() is None


def test_second_start_keeps_data_and_credentials(light: LightRun) -> None:
    first = light.start()
    write_both(first)
    light.end(signal.SIGTERM)
    assert light.process.returncode == 0
    second = light.start()
    assert_kept(second)
    assert [second[name] for name in CREDENTIALS] == [first[name] for name in CREDENTIALS]


def test_start_after_the_supervisor_was_killed_takes_the_servers_over(light: LightRun) -> None:
    first = light.start()
    write_both(first)
    light.end(signal.SIGKILL)
    children = first["processes"]["web"] + first["processes"]["worker"]
    second = light.start()
    assert second["processes"]["postgres"] == first["processes"]["postgres"]
    assert second["processes"]["redis"] == first["processes"]["redis"]
    assert not any(command_line(pid) for pid in children)
    assert_kept(second)
    assert light.get() == str(second["processes"]["web"][0])


def test_start_after_everything_was_killed(light: LightRun) -> None:
    first = light.start()
    write_both(first)
    light.process.kill()
    for pid in running(first):
        os.kill(pid, signal.SIGKILL)
    light.process.communicate()
    assert_kept(light.start())


def test_a_taken_port_is_refused_in_one_line(light: LightRun) -> None:
    with socket.create_server(("127.0.0.1", light.port)):
        process = light.spawn()
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert said.count("\n") == 1
    assert f"PORT={light.port}" in said


def test_without_port_the_next_free_one_is_taken(light: LightRun) -> None:
    first, second = LightRun(light.data_dir), LightRun(light.data_dir.with_name("other"))
    try:
        ports = [int(run.start(PORT="")["url"].rpartition(":")[2]) for run in (first, second)]
    finally:
        for run in (first, second):
            run.close()
            clean_data({"DATA_DIR": str(run.data_dir)}, Log())
    assert 8000 <= ports[0] < ports[1]


def test_second_run_on_the_same_data_is_refused(light: LightRun) -> None:
    run = light.start()
    other = LightRun(light.data_dir).spawn()
    said, _ = other.communicate(timeout=30)
    assert other.returncode == 2
    assert str(run["supervisor"]) in said
    assert light.get() == str(run["processes"]["web"][0])


def test_nobody_is_refused_while_the_site_restarts(light: LightRun) -> None:
    run = light.start()
    before = run["processes"]["web"][0]
    os.kill(before, signal.SIGKILL)
    after = light.get()
    assert after != str(before)
    eventually(lambda: light.run_file()["processes"]["web"] == [int(after)])


@pytest.mark.parametrize(("role", "index"), [("worker", 1), ("postgres", 0), ("redis", 0), ("redis", 1)])
def test_whatever_dies_is_started_again(light: LightRun, role: str, index: int) -> None:
    run = light.start()
    write_both(run)
    before = run["processes"][role]
    os.kill(before[index], signal.SIGKILL)

    def replaced() -> bool:
        now = light.run_file()["processes"][role]
        return len(now) == len(before) and now[index] != before[index] and bool(command_line(now[index]))

    eventually(replaced)
    assert light.run_file()["database_url"] == run["database_url"]
    eventually(lambda: answers(run))
    assert_kept(run)


def answers(run: dict) -> bool:
    try:
        with psycopg.connect(run["database_url"], connect_timeout=1), redis.Redis.from_url(run["redis_url"]) as client:
            return bool(client.ping())
    except (psycopg.OperationalError, redis.ConnectionError):
        return False


def test_a_failing_preparation_stops_everything(light: LightRun) -> None:
    process = light.spawn("import sys; print('migration 0007 failed'); sys.exit(3)")
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "migration 0007 failed" in said
    assert light.run_file() is None


def test_a_stop_during_preparation_is_orderly(light: LightRun) -> None:
    process = light.spawn("import time; print('half way', flush=True); time.sleep(60)")
    assert any("half way" in line for line in process.stdout)
    light.end(signal.SIGINT)
    assert process.returncode == 0


def test_a_second_interrupt_hastens_the_stop(light: LightRun) -> None:
    run = light.start(STUBBORN="1")
    light.process.send_signal(signal.SIGINT)
    eventually(lambda: not command_line(run["processes"]["web"][0]))
    light.end(signal.SIGINT)  # the workers' grace is longer than this test's patience
    assert light.process.returncode == 0
    assert not running(run)


def test_own_platform_means_no_simulator(light: LightRun) -> None:
    run = light.start(WORKTOOL_BASE_URL="http://127.0.0.1:9")
    assert run["simulator_url"] is None
    assert run["processes"]["simulator"] == []


def test_clean_data_stops_the_run_and_removes_everything(light: LightRun) -> None:
    run = light.start()
    clean_data({"DATA_DIR": str(light.data_dir)}, Log())
    assert light.process.wait(timeout=10) == 0
    assert not running(run)
    assert not light.data_dir.exists()
    assert not Path(run["server_dir"]).exists()


def test_clean_data_leaves_foreign_folders_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(CleanError, match=str(tmp_path)):
        clean_data({"DATA_DIR": str(tmp_path)}, Log())
    assert (tmp_path / "letter.txt").exists()
