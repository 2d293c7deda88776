"""A running model stub for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import urllib3

from personas.model_stub.app import create_app
from worktool_ai.lib.loopback import running


class StubClient:
    """Controls a stub; ``base_url`` is what an OpenAI client is given."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.base_url = f"{url}/v1"
        self._pool = urllib3.PoolManager(retries=False, timeout=30)

    def close(self) -> None:
        self._pool.clear()

    def stats(self) -> dict[str, Any]:
        return self._call("GET", "/stub/stats")

    def requests(self) -> list[dict[str, Any]]:
        """Return the bodies of the latest calls, oldest first."""
        asked: list[dict[str, Any]] = self._call("GET", "/stub/requests")["requests"]
        return asked

    def clear_stats(self) -> None:
        self._call("DELETE", "/stub/stats")

    def faults(self, *faults: dict[str, Any]) -> dict[str, Any]:
        """Replace all faults; none clears them."""
        return self._call("PUT", "/stub/faults", {"faults": list(faults)})

    def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = self._pool.request(method, self.url + path, json=body)
        if answer.status != 200:
            raise AssertionError(f"{method} {path}: {answer.status} {answer.data.decode()}")
        result: dict[str, Any] = answer.json()
        return result


@contextmanager
def running_model_stub(*, latency_s: float = 0.0) -> Iterator[StubClient]:
    """Run a fresh stub in a thread, on a free port, for the length of the block."""
    with running(create_app(latency_s=latency_s)) as url:
        client = StubClient(url)
        try:
            yield client
        finally:
            client.close()
