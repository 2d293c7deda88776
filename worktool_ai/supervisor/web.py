"""Serves the site on a listening socket that the supervisor holds: ``python -m worktool_ai.supervisor.web --fd N``.

While this process restarts, connections wait in the socket's queue instead of being refused. (uvicorn's own ``--fd``
takes every socket for a Unix one: no client address, no TCP_NODELAY.)
"""

from __future__ import annotations

import argparse
import socket

import uvicorn

GRACE_S = 3


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
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
