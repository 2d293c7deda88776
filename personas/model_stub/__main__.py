"""``python -m personas.model_stub``: the stub without Django."""

from __future__ import annotations

import argparse
import sys

from personas.model_stub.server import add_arguments, serve
from worktool_ai.lib.loopback import StartRefused


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m personas.model_stub", description=__doc__)
    add_arguments(parser)
    try:
        serve(**vars(parser.parse_args()))
    except StartRefused as refused:
        sys.exit(str(refused))


if __name__ == "__main__":
    main()
