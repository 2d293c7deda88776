"""What the caller of ``make run`` may set, read from the environment."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from worktool_ai.supervisor.server import is_free

__all__ = ["Options", "OptionsError", "listen", "simulator_port"]

FIRST_PORT = 8000
FIRST_SIMULATOR_PORT = 8100
TRIED = 100
BACKLOG = 2048


class OptionsError(ValueError):
    """The caller asked for something impossible; the message is one line that names the setting."""


@dataclass(frozen=True)
class Options:
    """Ports are None where the caller leaves the choice to us."""

    host: str
    port: int | None
    simulator_port: int | None
    worker_processes: int
    public_url: str | None
    worktool_base_url: str | None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Options:
        """Read them; :class:`OptionsError` names a setting that is no number in its range."""
        return cls(
            host=environment.get("BIND_HOST") or "127.0.0.1",
            port=_number(environment, "PORT", 65535),
            simulator_port=_number(environment, "SIMULATOR_PORT", 65535),
            worker_processes=_number(environment, "WORKER_PROCESSES", 64) or 2,
            public_url=environment.get("PUBLIC_URL") or None,
            worktool_base_url=environment.get("WORKTOOL_BASE_URL") or None,
        )


def _number(environment: Mapping[str, str], name: str, highest: int) -> int | None:
    text = environment.get(name, "").strip()
    if not text:
        return None
    if not text.isdigit() or not 1 <= int(text) <= highest:
        raise OptionsError(f"{name}={text} must be a number from 1 to {highest}.")
    return int(text)


def listen(options: Options) -> socket.socket:
    """Return a listening socket on the wanted port, or on the next free one when none was wanted."""
    first = options.port or FIRST_PORT
    for port in range(first, first + (1 if options.port else TRIED)):
        listening = _bind(options.host, port)
        if listening is not None:
            return listening
    if options.port:
        raise OptionsError(f"PORT={options.port} is taken by another program: choose another PORT, or unset it.")
    raise OptionsError(f"No free port from {first} to {first + TRIED - 1}: set PORT.")


def _bind(host: str, port: int) -> socket.socket | None:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # inherited by every accepted connection, whichever event loop serves it
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        return None
    return listening


def simulator_port(options: Options) -> int:
    """Return the simulator's port: the wanted one if it is free, else the next free one."""
    if options.simulator_port:
        if not is_free(options.simulator_port):
            raise OptionsError(
                f"SIMULATOR_PORT={options.simulator_port} is taken by another program: choose another one."
            )
        return options.simulator_port
    for port in range(FIRST_SIMULATOR_PORT, FIRST_SIMULATOR_PORT + TRIED):
        if is_free(port):
            return port
    raise OptionsError("No free port for the simulator: set SIMULATOR_PORT.")
