"""``python -m worktool_ai.worker``: ``celery worker`` on the gevent pool without Celery's command line.

That one brings a shell with completion and colours, 9 MB.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()  # before anything else is imported: psycopg and the clients must wait in greenlets

import argparse  # noqa: E402
import sys  # noqa: E402

from worktool_ai.celery import app  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description="Take tasks.")
    parser.add_argument("--concurrency", type=int, default=1000, help="greenlets; a waiting run takes one")
    worker = app.Worker(
        pool_cls="gevent",
        concurrency=parser.parse_args().concurrency,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
