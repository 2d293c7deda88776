"""Whether the platform can reach us: what our public address is, and whether we answer there ourselves."""

from __future__ import annotations

import ipaddress
import json
import socket
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from django.conf import settings

from worktool_ai.lib import http
from worktool_ai.lib.crypto import fingerprint
from worktool_ai.lib.http import HttpError
from worktool_ai.lib.loopback import is_loopback_url
from worktool_ai.lib.stores import redis_store

__all__ = ["PublicAddress", "Reach", "look_at_ourselves"]

KEPT_S = 30
TIMEOUT_S = 3.0
HEALTH = "/healthz"


class Reach(StrEnum):
    """From where an address can be reached at all."""

    THIS_MACHINE = "this_machine"
    PRIVATE = "private"
    PUBLIC = "public"
    UNRESOLVED = "unresolved"


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """``PUBLIC_URL`` as seen from here. ``problem`` is empty when our own /healthz answered through it."""

    url: str
    reach: Reach
    problem: str
    ms: int

    @property
    def is_secure(self) -> bool:
        return self.url.startswith("https://")


def look_at_ourselves() -> PublicAddress:
    """Call our own health page through the public address, at most twice a minute. Raises ``redis.RedisError``."""
    url = settings.PUBLIC_URL
    key = f"{settings.REDIS_PREFIX}:connect:public:{fingerprint(url)[:16]}"
    with redis_store(settings.REDIS_BROKER_URL) as store:
        kept = store.get(key)
        if isinstance(kept, bytes):
            row = json.loads(kept)
            return PublicAddress(**{**row, "reach": Reach(row["reach"])})
        seen = _look(url)
        store.set(key, json.dumps(asdict(seen)), ex=KEPT_S)
    return seen


def _look(url: str) -> PublicAddress:
    reach = _reach(url)
    began = time.monotonic()
    problem = "" if reach == Reach.UNRESOLVED else _problem(url)
    return PublicAddress(url, reach, problem, round((time.monotonic() - began) * 1000))


def _problem(url: str) -> str:
    try:
        # the operator's own setting, not an address from a form: it may lie in a private network
        answer = http.request("GET", f"{url}{HEALTH}", timeout=TIMEOUT_S, allow_private=True)
        is_us = answer.ok and answer.json() == {"status": "ok"}
    except HttpError as error:
        return error.problem
    except ValueError:
        is_us = False
    return "" if is_us else f"HTTP {answer.status}"


def _reach(url: str) -> Reach:
    if is_loopback_url(url):
        return Reach.THIS_MACHINE
    try:
        found = socket.getaddrinfo(urlsplit(url).hostname or "", None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return Reach.UNRESOLVED
    addresses = {str(row[4][0]) for row in found}
    if any(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in addresses):
        return Reach.THIS_MACHINE
    return Reach.PUBLIC if all(http.is_public_address(address) for address in addresses) else Reach.PRIVATE
