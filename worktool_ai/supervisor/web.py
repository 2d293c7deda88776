"""Serves the site on a listening socket that the supervisor holds: ``python -m worktool_ai.supervisor.web --fd N``.

While this process restarts, connections wait in the socket's queue instead of being refused. (uvicorn's own ``--fd``
takes every socket for a Unix one: no client address, no TCP_NODELAY.)
"""

from __future__ import annotations

import argparse
import socket

import uvicorn

from worktool_ai.lib import watchdog

GRACE_S = 3


class Server(uvicorn.Server):
    """Shows from its event loop that it runs; uvicorn ticks ten times a second."""

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:
            watchdog.pulse()
        return await super().on_tick(counter)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True)
    listening = socket.socket(fileno=parser.parse_args().fd)
    config = uvicorn.Config(
        "worktool_ai.asgi:application",
        access_log=False,
        log_config=None,  # Django's settings have set up logging by then
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
