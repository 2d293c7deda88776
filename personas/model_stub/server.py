"""Starts the stub from command line options; shared by ``manage.py model_stub`` and ``python -m``."""

from __future__ import annotations

from argparse import ArgumentParser

from personas.model_stub.app import create_app
from worktool_ai.lib.loopback import run


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that every answer takes at least")


def serve(*, port: int, latency: float) -> None:
    """Run until SIGINT or SIGTERM; raises ``StartRefused``."""
    app = create_app(latency_s=latency)
    run(app, port, announce=lambda address: print(f"Model stub: {address}/v1", flush=True))  # noqa: T201
