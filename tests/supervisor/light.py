"""A supervisor with small programs in place of the product's, started by the tests as its own process.

``python -m tests.supervisor.light [PREPARE]``: settings come from the environment as for the real one.
"""

from __future__ import annotations

import os
import sys

from worktool_ai.supervisor.children import Program
from worktool_ai.supervisor.layout import Layout
from worktool_ai.supervisor.options import Options, OptionsError
from worktool_ai.supervisor.output import Log
from worktool_ai.supervisor.runner import PrepareError, Supervisor
from worktool_ai.supervisor.state import AlreadyRunningError

#: Answers every request with 200 and its own pid; serves on the socket that the supervisor holds.
WEB = """
import http.server, os, signal, socket, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments): pass
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = http.server.HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=int(sys.argv[1]))
print('{"event": "serving", "level": "info", "port": %d}' % server.socket.getsockname()[1], flush=True)
server.serve_forever()
"""
SLEEPER = "import time\ntime.sleep(3600)"
STUBBORN = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(3600)"


def table(fd: int, simulator: int | None, options: Options, layout: Layout) -> list[Program]:
    python = (sys.executable, "-c")
    sleeper = STUBBORN if "STUBBORN" in os.environ else SLEEPER
    programs = [
        Program("web", (*python, WEB, str(fd)), stage=0, grace_s=3, inherits=(fd,)),
        Program("worker", (*python, sleeper), stage=2, grace_s=20, copies=options.worker_processes),
    ]
    if simulator is not None:
        programs.append(Program("simulator", (*python, SLEEPER), stage=1, grace_s=3))
    return programs


def main() -> int:
    prepare = (sys.executable, "-c", sys.argv[1]) if len(sys.argv) > 1 else ()
    try:
        return Supervisor(os.environ, Log(), table=table, prepare=prepare).run()
    except (OptionsError, AlreadyRunningError) as error:
        print(error, file=sys.stderr)
        return 2
    except PrepareError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
