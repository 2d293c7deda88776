"""Starts the simulator from command line options; shared by ``manage.py worktool_simulator`` and ``python
-m``.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Iterable

from robots.simulator.app import create_app
from worktool_ai.lib.loopback import StartRefused, run


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options; their defaults come from the environment."""
    env = os.environ
    parser.add_argument("--port", type=int, default=int(env.get("SIMULATOR_PORT") or 0), help="0: a free one")
    parser.add_argument("--token", default=env.get("SIMULATOR_TOKEN", ""), help="guards /sim (SIMULATOR_TOKEN)")
    parser.add_argument(
        "--pace",
        type=float,
        default=float(env.get("SIMULATOR_PACE_S") or 0.5),
        help="seconds that the phone needs for one command (SIMULATOR_PACE_S)",
    )
    parser.add_argument(
        "--limit",
        type=int,
        default=int(env.get("SIMULATOR_REQUEST_LIMIT") or 60),
        help="requests per minute that the platform lets through (SIMULATOR_REQUEST_LIMIT)",
    )
    parser.add_argument(
        "--robot",
        action="append",
        metavar="ROBOTID=URL",
        default=[item for item in env.get("SIMULATOR_ROBOTS", "").split(",") if item],
        help="connect a robot at start; {event} in URL stands for message, result, … (SIMULATOR_ROBOTS)",
    )


def parse_robots(items: Iterable[str]) -> dict[str, str]:
    """Read ``ROBOTID=URL`` items; raises :class:`StartRefused` naming a bad one."""
    robots = {}
    for item in items:
        robot_id, separator, url = item.partition("=")
        if not separator or not robot_id or "{event}" not in url:
            raise StartRefused(f"--robot takes ROBOTID=URL with {{event}} in the URL, not {robot_id!r}.")
        robots[robot_id] = url
    return robots


def serve(*, port: int, token: str, pace: float, limit: int, robot: Iterable[str]) -> None:
    """Run until SIGINT or SIGTERM; raises :class:`StartRefused`."""
    app = create_app(token=token, pace_s=pace, limit=limit, robots=parse_robots(robot))
    run(app, port, announce=lambda address: print(f"WorkTool simulator: {address}", flush=True))  # noqa: T201
