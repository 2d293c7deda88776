"""``make verify-clean``: a fresh clone on a bare machine, as root and as a new ordinary user.

An empty HOME, empty package caches, and a PATH with only python3.11, make, sh, git and coreutils. For each user:
``make run`` is ready within 120 s the first time and 15 s the second, answers a customer within 5 s, stops on Ctrl-C
without leaving a process, and writes no file outside the clone (which holds DATA_DIR) except, for root, the server
folder that run.json names. Standard library only. Prints what it measured; 0 when all of it holds, else 1.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
COLD_S, SECOND_S, ANSWER_S, STOP_S = 120.0, 15.0, 5.0, 30.0
TEST_S = 1800.0
USER = "worktool-verify"
PROGRAMS = ("make", "sh", "git")
#: What the caller may have set to reach his registries; the rest of his environment stays behind.
KEPT_PREFIXES = ("PIP_", "UV_", "SSL_", "npm_config_", "NODE_EXTRA_", "REQUESTS_CA", "CURL_CA", "GIT_SSL")
KEPT = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
CACHES = ("PIP_CACHE_DIR", "UV_CACHE_DIR", "npm_config_cache")
#: Folders that a program could be tempted to write to.
WATCHED = ("/tmp", "/var/tmp", "/var/lib", "/var/cache", "/var/log", "/etc", "/usr/local", "/opt", "/root", "/home")
ROOM, PERSON, QUESTION = "客服群", "张三", "如何退款？"


class Failure(Exception):
    """A promise was not kept; the message says which and what was seen."""


class Account:
    """Who runs the clone: ``name`` is None for the user that runs this script."""

    def __init__(self, name: str | None) -> None:
        self.name = name
        self.label = name or ("root" if os.geteuid() == 0 else "the present user")

    @property
    def popen(self) -> dict[str, Any]:
        if self.name is None:
            return {}
        entry = pwd.getpwnam(self.name)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def own(self, folder: Path) -> None:
        if self.name is not None:
            subprocess.run(["chown", "-R", f"{self.name}:", folder], check=True)


def say(line: str) -> None:
    print(f"[verify] {line}", flush=True)


def wait_for(what: str, seconds: float, condition: Callable[[], Any]) -> tuple[Any, float]:
    """Poll until true; returns the value and the seconds it took, or fails naming ``what``."""
    started = time.monotonic()
    while True:
        value = condition()
        took = time.monotonic() - started
        if value:
            return value, took
        if took > seconds:
            raise Failure(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.1)


# -- the bare machine ----------------------------------------------------------------------------------------------


def coreutils() -> list[str]:
    """Return the names of the coreutils programs, as far as this machine knows its packages."""
    listed = subprocess.run(["dpkg", "-L", "coreutils"], capture_output=True, text=True, check=False).stdout
    named = [Path(line).name for line in listed.splitlines() if "/bin/" in line]
    return named or ["cat", "chmod", "cp", "env", "ls", "mkdir", "mv", "rm", "rmdir", "touch", "true"]


def system_python() -> str:
    """Return a Python 3.11 that every user can run (pyenv's lies in a private home)."""
    wrapper = Path("/usr/bin/python3.11")
    return str(wrapper) if wrapper.exists() else os.path.realpath(sys.executable)


def make_path(folder: Path) -> Path:
    """Make a folder with links to the few programs that the machine is to have."""
    folder.mkdir()
    for name in {*PROGRAMS, *coreutils()}:
        found = shutil.which(name)
        if found:
            (folder / name).symlink_to(found)
    (folder / "python3.11").symlink_to(system_python())
    return folder


def bare_environment(work: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if (k.startswith(KEPT_PREFIXES) or k in KEPT) and k not in CACHES}
    home = work / "home"
    home.mkdir()
    return {**kept, "PATH": str(make_path(work / "bin")), "HOME": str(home), "LANG": "C.UTF-8"}


@contextmanager
def fresh_clone(account: Account) -> Iterator[tuple[Path, dict[str, str]]]:
    """Clone the committed state into a new folder that belongs to the account; removed afterwards."""
    work = Path(tempfile.mkdtemp(prefix="worktool-verify-"))
    work.chmod(0o755)
    try:
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, work / "clone"], check=True)
        environment = bare_environment(work)
        account.own(work)
        yield work / "clone", environment
    finally:
        shutil.rmtree(work, ignore_errors=True)


# -- one run ---------------------------------------------------------------------------------------------------------


class Run:
    """``make run`` in a clone."""

    def __init__(self, clone: Path, environment: dict[str, str], account: Account) -> None:
        self.clone = clone
        self.log = clone.parent / "run.log"
        with self.log.open("ab") as log:
            self.make = subprocess.Popen(
                ["make", "run"],
                cwd=clone,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **account.popen,
            )
        self.facts: dict[str, Any] = {}

    def wait_ready(self, seconds: float) -> float:
        """Wait for the first 200 of /readyz; returns the seconds since ``make run``."""
        return wait_for("/readyz 200", seconds, self._is_ready)[1]

    def _is_ready(self) -> bool:
        if self.make.poll() is not None:
            raise Failure(f"make run ended with status {self.make.returncode}")
        path = self.clone / ".data" / "run.json"
        if not path.exists():
            return False
        self.facts = json.loads(path.read_text(encoding="utf-8"))
        try:
            return request(self.facts["url"], "GET", "/readyz")[0] == http.client.OK
        except OSError:
            return False

    def pids(self) -> list[int]:
        return [self.facts["supervisor"], *(pid for pids in self.facts["processes"].values() for pid in pids)]

    def interrupt(self) -> float:
        """Send what Ctrl-C sends (SIGINT to the whole group); returns the seconds until all of it is gone."""
        os.killpg(self.make.pid, signal.SIGINT)
        took = wait_for("make run ends", STOP_S, lambda: self.make.poll() is not None)[1]
        left = [pid for pid in self.pids() if Path(f"/proc/{pid}").exists() and not is_zombie(pid)]
        if left:
            raise Failure(f"left running after the stop: {left}")
        return took

    def kill(self) -> None:
        """End everything by force, so that a failed check leaves nothing behind."""
        for pid in [self.make.pid, *(self.pids() if self.facts else [])]:
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGTERM if pid == self.facts.get("supervisor") else signal.SIGKILL)
        self.make.wait()


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def request(
    url: str, method: str, path: str, body: dict[str, Any] | None = None, token: str = ""
) -> tuple[int, dict[str, Any]]:
    """Send one JSON request without any proxy; returns status and document."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=10)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, json.dumps(body).encode() if body else None, headers)
        response = connection.getresponse()
        text = response.read().decode()
        return response.status, json.loads(text) if text.startswith("{") else {}
    finally:
        connection.close()


def ask(facts: dict[str, Any]) -> tuple[str, float]:
    """Say the question in the room; returns the robot's answer and the seconds it took."""
    url, token = facts["simulator_url"], facts["simulator_token"]
    line = {"robotId": facts["robot_id"], "sender": PERSON, "room": ROOM, "text": QUESTION, "roomType": 1}
    status, said = request(url, "POST", "/sim/say", line, token)
    if status != http.client.OK or not said["delivered"]:
        raise Failure(f"/sim/say answered {status} {said}")
    query = urllib.parse.urlencode({"room": ROOM, "since": said["id"]})

    def answer() -> str | None:
        lines = request(url, "GET", f"/sim/transcript?{query}", token=token)[1]["lines"]
        return next((line["text"] for line in lines if line["from"] == "robot"), None)

    text, took = wait_for("the robot's answer", ANSWER_S, answer)
    return text, took


# -- what was left behind ----------------------------------------------------------------------------------------------


def files_of(allowed: list[Path]) -> set[Path]:
    """Return the files of the watched folders, without those below an allowed one."""
    found: set[Path] = set()
    for top in WATCHED:
        for folder, names, files in os.walk(top):
            names[:] = [name for name in names if Path(folder, name) not in allowed]
            found.update(Path(folder, name) for name in files)
    return found


def changed_since(before: set[Path], allowed: list[Path], owner_uid: int) -> list[Path]:
    """Return the new files that this account could have written."""
    return sorted(path for path in files_of(allowed) - before if path.exists() and path.stat().st_uid == owner_uid)


# -- the acceptance ----------------------------------------------------------------------------------------------------


def verify(account: Account, *, with_tests: bool) -> None:
    """Go through the whole list for one account; :class:`Failure` at the first broken promise."""
    say(f"as {account.label}: cloning")
    with fresh_clone(account) as (clone, environment):
        uid = account.popen.get("user", os.geteuid())
        # what other programs keep in folders of theirs is not ours to judge; a new one in /tmp is
        others = [ROOT, clone.parent, *Path(tempfile.gettempdir()).iterdir()]
        before = files_of(others)
        first, server_dir = measured_run(clone, environment, account, "first start (cold)", COLD_S)
        second, _ = measured_run(clone, environment, account, "second start", SECOND_S)
        check_files(environment, before, [*others, server_dir], uid)
        if with_tests:
            run_tests(clone, environment, account)
        make(clone, environment, account, "clean-data", 120)
        if server_dir.exists() or (clone / ".data").exists():
            raise Failure("make clean-data has left data behind")
        say(f"as {account.label}: all held; ready after {first:.1f} s cold, {second:.1f} s the second time")


def measured_run(
    clone: Path, environment: dict[str, str], account: Account, what: str, seconds: float
) -> tuple[float, Path]:
    run = Run(clone, environment, account)
    try:
        ready = run.wait_ready(seconds)
        answer, took = ask(run.facts)
        say(f"as {account.label}: {what}: ready after {ready:.1f} s, answer after {took:.1f} s: {answer}")
        stopped = run.interrupt()
        say(f"as {account.label}: stopped in {stopped:.1f} s, no process left")
    except Failure:
        print(run.log.read_text(encoding="utf-8", errors="replace")[-6000:], flush=True)
        run.kill()
        raise
    return ready, Path(run.facts["server_dir"])


def check_files(environment: dict[str, str], before: set[Path], allowed: list[Path], uid: int) -> None:
    new = changed_since(before, allowed, uid)
    new += [path for path in Path(environment["HOME"]).rglob("*") if path.is_file()]
    if new:
        raise Failure(f"files outside DATA_DIR: {', '.join(map(str, new[:10]))}")


def make(clone: Path, environment: dict[str, str], account: Account, verb: str, seconds: float) -> str:
    done: subprocess.CompletedProcess[str] = subprocess.run(
        ["make", verb],
        cwd=clone,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
        **account.popen,
    )
    if done.returncode != 0:
        print(done.stdout[-6000:], flush=True)
        raise Failure(f"make {verb} ended with status {done.returncode}")
    return done.stdout


def run_tests(clone: Path, environment: dict[str, str], account: Account) -> None:
    say(f"as {account.label}: make test")
    say(make(clone, environment, account, "test", TEST_S).strip().splitlines()[-1])


@contextmanager
def ordinary_user() -> Iterator[Account]:
    """A new user for the length of the block; without root the present user is the ordinary one."""
    if os.geteuid() != 0:
        yield Account(None)
        return
    subprocess.run(["useradd", "--no-create-home", "--shell", "/bin/sh", USER], check=True)
    try:
        yield Account(USER)
    finally:
        subprocess.run(["userdel", USER], check=False)


def main() -> int:
    parser = argparse.ArgumentParser(description="make verify-clean")
    parser.add_argument("--test", action="store_true", help="also run make test in each clone")
    parser.add_argument("--only", choices=["root", "user"], help="verify as one of them only")
    options = parser.parse_args()
    try:
        if os.geteuid() == 0 and options.only != "user":
            verify(Account(None), with_tests=options.test)
        if options.only != "root":
            with ordinary_user() as account:
                verify(account, with_tests=options.test)
    except Failure as failure:
        say(f"FAILED: {failure}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
