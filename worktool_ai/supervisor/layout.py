"""Where the embedded default keeps its things, and its generated passwords."""

from __future__ import annotations

import base64
import grp
import hashlib
import json
import os
import pwd
import secrets as random_source
import shutil
import tempfile
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

__all__ = ["Account", "Credentials", "Layout", "new_encryption_key", "server_account", "write_private"]

#: As root the servers' files must lie where an unprivileged user can reach them: a venv or data under /root cannot.
SERVER_ROOTS = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 - the folder below it is ours, 0755, owned by root


@dataclass(frozen=True)
class Account:
    """The unprivileged user that the servers run as when we are root."""

    uid: int
    gid: int


def server_account() -> Account | None:
    """Return ``nobody`` for root (PostgreSQL refuses to run as root), None for everybody else."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_uid, grp.getgrgid(entry.pw_gid).gr_gid)


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:  # mkstemp makes it 0600
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)


def new_encryption_key() -> str:
    """Return a new Fernet key: 32 random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(random_source.token_bytes(32)).decode()


@dataclass(frozen=True)
class Credentials:
    """Everything generated once per data folder; the same at every start.

    ``encryption_key`` encrypts. ``next_encryption_key`` was added meanwhile and takes its place at the next start of
    the supervisor, when no process runs that does not know it; ``old_encryption_keys`` (comma separated) only decrypt.
    """

    secret_key: str
    encryption_key: str
    next_encryption_key: str
    old_encryption_keys: str
    database_password: str
    redis_password: str
    broker_password: str
    simulator_token: str
    robot_id: str
    callback_key: str
    admin_password: str

    @classmethod
    def generate(cls) -> Credentials:
        """Return new random values."""
        values = {field.name: random_source.token_urlsafe(24) for field in fields(cls)}
        values["secret_key"] = random_source.token_urlsafe(50)
        values["encryption_key"] = new_encryption_key()
        values["next_encryption_key"] = values["old_encryption_keys"] = ""
        values["robot_id"] = f"wt{random_source.token_hex(15)}"  # who knows a robot's id can command it
        values["callback_key"] = random_source.token_hex(16)
        values["admin_password"] = random_source.token_urlsafe(12)
        return cls(**values)

    @classmethod
    def load(cls, path: Path) -> Credentials:
        """Read the file, adding what an older one lacks; make it when there is none."""
        stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        known = {field.name: stored[field.name] for field in fields(cls) if field.name in stored}
        merged = cls(**{**asdict(cls.generate()), **known})
        if asdict(merged) != stored:
            merged.store(path)
        return merged

    def store(self, path: Path) -> None:
        write_private(path, json.dumps(asdict(self), indent=1))

    @property
    def encryption_keys(self) -> list[str]:
        """All keys, the encrypting one first."""
        keys = [self.encryption_key, self.next_encryption_key, *self.old_encryption_keys.split(",")]
        return [key for key in keys if key]

    def with_new_encryption_key(self) -> Credentials:
        """Add a key for the next start; one that already waits for it stays the only one."""
        return replace(self, next_encryption_key=self.next_encryption_key or new_encryption_key())

    def with_next_encryption_key(self) -> Credentials:
        """Put the key that was added in front; the one in use until now only decrypts from then on."""
        if not self.next_encryption_key:
            return self
        old = ",".join(key for key in (self.encryption_key, self.old_encryption_keys) if key)
        return replace(self, encryption_key=self.next_encryption_key, next_encryption_key="", old_encryption_keys=old)

    def without_old_encryption_keys(self) -> Credentials:
        return replace(self, old_encryption_keys="")


class Layout:
    """The paths below one DATA_DIR, and the server folder that belongs to it."""

    def __init__(self, data_dir: Path, server_dir: Path | None = None) -> None:
        self.data_dir = Path(data_dir).absolute()
        self.server_dir = server_dir or self._default_server_dir()
        self.run_file = self.data_dir / "run.json"
        self.secrets_file = self.data_dir / "secrets"
        self.state_file = self.data_dir / "servers.json"
        self.supervisor_file = self.data_dir / "supervisor.json"

    def _default_server_dir(self) -> Path:
        if os.geteuid() != 0:
            return self.data_dir / "servers"
        name = f"worktool-ai-{hashlib.sha256(str(self.data_dir).encode()).hexdigest()[:12]}"
        root = next((folder for folder in SERVER_ROOTS if os.access(folder, os.W_OK)), SERVER_ROOTS[-1])
        return root / name

    def make(self) -> None:
        """Create the data folder, readable by us alone."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.data_dir.chmod(0o700)

    def set_aside_orphan(self) -> Path | None:
        """Move a server folder aside whose data folder was deleted; return where it lies now.

        Its passwords and encryption keys went with the data folder, so nothing of it can be used from here. The last
        one is kept in case the deletion was a mistake.
        """
        if self.secrets_file.exists() or self.data_dir in self.server_dir.parents or not self.server_dir.is_dir():
            return None
        aside = self.server_dir.with_name(f"{self.server_dir.name}.orphan")
        shutil.rmtree(aside, ignore_errors=True)
        return self.server_dir.rename(aside)

    def make_server_dir(self) -> None:
        """Create the server folder, which an unprivileged server can enter."""
        self.server_dir.mkdir(parents=True, exist_ok=True)
        self.server_dir.chmod(0o755)
