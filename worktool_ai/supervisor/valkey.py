"""An own Valkey (a Redis) from a wheel's program."""

from __future__ import annotations

import socket
from pathlib import Path

from worktool_ai.supervisor.layout import Account, write_private
from worktool_ai.supervisor.server import Server

__all__ = ["Valkey"]

DATABASES = 64


class Valkey(Server):
    """Valkey on loopback with a password.

    ``durable`` answers a write only when it is on disk (``appendfsync always``) and refuses writes rather than
    forgetting; the other kind holds what may be lost: broker, channel layer, live events.
    """

    def __init__(
        self,
        name: str,
        program: Path,
        server_dir: Path,
        account: Account | None,
        password: str,
        *,
        durable: bool,
        mortal: bool = False,
    ) -> None:
        super().__init__(name, server_dir / name, account, mortal=mortal)
        self.program = program
        self.password = password
        self.durable = durable

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def configuration(self) -> Path:
        return self.folder / "valkey.conf"

    @property
    def pid_file(self) -> Path:
        return self.folder / "valkey.pid"

    def _recorded_pid(self) -> int | None:
        try:
            return int(self.pid_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def is_ready(self) -> bool:
        """Ask with a PING: while it still reads its log after a crash it answers, but with an error."""
        if self.running() is None:
            return False
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (received := connection.recv(256)):
                    answer += received
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"

    def prepare(self) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        write_private(self.configuration, "\n".join(self._configuration_lines()) + "\n")
        self.own(self.configuration)
        self.own(self.folder)

    def _configuration_lines(self) -> list[str]:
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"requirepass {self.password}",
            f'dir "{self.folder}"',
        ]
        lines += [f'pidfile "{self.pid_file}"', f"databases {DATABASES}", 'save ""', "set-proc-title no"]
        lines += ["loglevel warning", "maxmemory-policy noeviction", "tcp-keepalive 60"]
        if self.durable:
            lines += ["appendonly yes", "appendfsync always"]
        return lines

    def _arguments(self) -> list[str | Path]:
        return [self.program, self.configuration]
