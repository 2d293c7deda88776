"""The platform's HTTP interface, typed (worktool-api.md §3.2, §4, §6).

Every call counts against the platform's limit per address. So the client takes leave of :mod:`robots.limiter` for each
request, or uses the one that its caller has taken, and pauses everybody when the platform says 429.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext_noop

from robots.client.errors import NoCredentials, NoLeave, NotSent, Rejected, Throttled, Unknown, WorkToolError
from robots.client.rows import (
    CHINA,
    Binding,
    RanRow,
    RobotInfo,
    SentRow,
    listed,
    parse_time,
    read_binding,
    read_info,
    read_ran,
    read_sent,
)
from robots.client.transport import Json, Transport
from robots.limiter import LimiterError, Wanted, limiter
from worktool_ai.lib.crypto import Secret, UndecryptableError
from worktool_ai.lib.logs import get_logger
from worktool_ai.lib.redaction import redact

__all__ = [
    "CHINA",
    "EVERYTHING",
    "Binding",
    "Client",
    "Credentials",
    "Leave",
    "NoCredentials",
    "NoLeave",
    "NotSent",
    "RanRow",
    "Rejected",
    "RobotInfo",
    "SentRow",
    "Throttled",
    "Unknown",
    "WorkToolError",
    "parse_time",
    "platform",
    "take_leave",
]

logger = get_logger(__name__)

SOCKET_TYPE = 2
#: ``replyAll``: post every line, mentioned or not.
EVERYTHING = 1


class Credentials(Protocol):
    """Whose robot is meant: a model row or a snapshot."""

    @property
    def id(self) -> UUID: ...
    @property
    def slug(self) -> str: ...
    @property
    def robot_id(self) -> Secret: ...
    @property
    def robot_key(self) -> Secret: ...
    @property
    def requests_per_minute(self) -> int | None: ...


#: Takes leave for one request of a robot, or raises :class:`NoLeave`.
Leave = Callable[[Credentials], None]


def take_leave(robot: Credentials, *, limit: int | None = None) -> None:
    """Take leave for one ordinary request now, of ``limit`` requests that may lie in the window if that is less."""
    wanted = Wanted(robot_id=robot.id, robot_limit=robot.requests_per_minute)
    if not limiter().ask([wanted], limit=limit).granted:
        raise NoLeave("the request limit is used up; try again in a minute")


class Client:
    """One platform address. Every method is one request, for which ``leave`` is called before it is made.

    Methods raise the errors of :mod:`robots.client.errors`, and the limiter's where that cannot be asked.
    """

    def __init__(self, http: Transport, leave: Leave) -> None:
        self._http = http
        self._leave = leave

    def send_raw_message(self, robot: Credentials, commands: Sequence[Json], *, not_after: float = float("inf")) -> str:
        """Queue commands at the platform; returns its messageId, empty if it gave none.

        ``not_after`` is a ``time.monotonic()`` instant past which nothing is sent any more (:class:`NotSent`).
        """
        body = {"socketType": SOCKET_TYPE, "list": list(commands)}
        answer = self._post("/wework/sendRawMessage", robot, body, not_after)
        return str(answer.get("data") or "")

    def list_raw_message(
        self, robot: Credentials, *, message_id: str = "", page: int = 1, size: int = 100
    ) -> list[SentRow]:
        """Return what was sent, newest first."""
        query = _page(robot, page, size, "create_time") | _optional(messageId=message_id)
        return [read_sent(row) for row in listed(self._get("/wework/listRawMessage", robot, query))]

    def raw_msg_list(self, robot: Credentials, *, message_id: str = "", page: int = 1, size: int = 100) -> list[RanRow]:
        """Return what ran, newest first."""
        query = _page(robot, page, size, "run_time") | _optional(messageId=message_id)
        return [read_ran(row) for row in listed(self._get("/robot/rawMsg/list", robot, query))]

    def qa_log_list(
        self, robot: Credentials, *, page: int = 1, size: int = 100, start_time: str = "", end_time: str = ""
    ) -> list[Json]:
        """Return the platform's log of message callbacks, newest first; times as ``yyyy-MM-dd HH:mm:ss`` (China)."""
        query = _page(robot, page, size, "start_time") | _optional(startTime=start_time, endTime=end_time)
        return listed(self._get("/robot/qaLog/list", robot, query))

    def robot_info(self, robot: Credentials) -> RobotInfo:
        return read_info(self._get("/robot/robotInfo/get", robot, _query(robot)))

    def robot_detail(self, robot: Credentials) -> Json:
        """Return licence, corporation and shown name as they came (:func:`robots.client.rows.read_detail`)."""
        return _object(self._get("/robot/robotInfo/get-detail", robot, _query(robot)))

    def app_version(self, robot: Credentials) -> str:
        """Return the version of the phone's app, empty when the platform does not say."""
        data = self._get("/robot/robotInfo/version", robot, _query(robot))
        return str(data) if isinstance(data, str | int | float) else str(_object(data).get("version") or "")

    def online_infos(self, robot: Credentials, *, date: str = "") -> list[Json]:
        """Return the times on line of a day (``yyyy-MM-dd``, China time) as they came."""
        return listed(self._get("/robot/robotInfo/onlineInfos", robot, _query(robot) | _optional(date=date)))

    def update_robot_info(
        self,
        robot: Credentials,
        *,
        callback_url: str | None = None,
        open_callback: int | None = None,
        reply_all: int | None = None,
    ) -> None:
        """Set the message callback and which lines are posted; what is left out stays as it is at the platform.

        A new address is tested by the platform with a sample line, and refused when it does not answer.
        """
        named = {"openCallback": open_callback, "replyAll": reply_all, "callbackUrl": callback_url}
        body = {name: value for name, value in named.items() if value is not None}
        self._post("/robot/robotInfo/update", robot, body)

    def bind(self, robot: Credentials, kind: int, callback_url: str) -> None:
        """Bind the callback of one type; the platform calls the address first and refuses one that does not answer."""
        body = {"type": kind, "callBackUrl": callback_url}
        self._post("/robot/robotInfo/callBack/bind", robot, body)

    def get_callbacks(self, robot: Credentials) -> list[Binding]:
        query = _query(robot, key_name="robotKey")
        return [read_binding(row) for row in listed(self._get("/robot/robotInfo/callBack/get", robot, query))]

    def online(self, robot: Credentials) -> bool | None:
        """Tell whether the phone is online; ``None`` when the answer does not say (the sources disagree on it)."""
        data = self._get("/robot/robotInfo/online", robot, _query(robot))
        return data if isinstance(data, bool) else None

    def _get(self, path: str, robot: Credentials, query: Json) -> Any:
        return self._call(robot, partial(self._http.get, path, query)).get("data")

    def _post(self, path: str, robot: Credentials, body: Json, not_after: float = float("inf")) -> Json:
        return self._call(robot, partial(self._http.post, path, _query(robot), body, not_after))

    def _call(self, robot: Credentials, request: Callable[[], Json]) -> Json:
        self._leave(robot)
        try:
            return request()
        except Throttled:
            _pause()
            raise
        except Rejected as error:
            # the platform's own words, which may quote what it was called with
            secrets = (robot.robot_id.reveal(), robot.robot_key.reveal())
            raise Rejected(error.code, redact(error.message, *secrets)) from None


def _pause() -> None:
    try:
        limiter().pause()
    except LimiterError as error:
        logger.warning("client.no_limiter", error=type(error).__name__)


def _query(robot: Credentials, key_name: str = "key") -> dict[str, str | int]:
    try:
        return {"robotId": robot.robot_id.reveal()} | _optional(**{key_name: robot.robot_key.reveal()})
    except UndecryptableError:
        raise NoCredentials(gettext_noop("The robot's id or key cannot be decrypted: enter it again.")) from None


def _object(data: Any) -> Json:
    return data if isinstance(data, dict) else {}


def _page(robot: Credentials, page: int, size: int, column: str) -> dict[str, str | int]:
    return _query(robot) | {"page": page, "size": size, "sort": f"{column},desc"}


def _optional(**fields: str) -> dict[str, str | int]:
    return {name: value for name, value in fields.items() if value}


def platform(leave: Leave = take_leave, *, timeout_s: float | None = None) -> Client:
    """Return a client of the address in the settings, which waits as they say or ``timeout_s``; ``leave`` as of
    :class:`Client`.
    """
    timeout_s = settings.WORKTOOL_TIMEOUT_S if timeout_s is None else timeout_s
    return Client(_transport(settings.WORKTOOL_BASE_URL, timeout_s), leave)


@lru_cache(maxsize=4)
def _transport(base_url: str, timeout_s: float) -> Transport:
    return Transport(base_url, timeout_s)
