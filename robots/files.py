"""Pictures and files on their way to a chat: the platform's command 218, and whether phones can fetch them at all."""

from __future__ import annotations

from typing import Any, Final

import redis
from django.conf import settings
from django.utils.translation import gettext as _

from robots.connecting.public import Reach, look_at_ourselves
from templates_lib.file_kinds import StoredFile
from templates_lib.files import url_of
from worktool_ai.lib.logs import get_logger
from worktool_ai.lib.loopback import is_loopback_url

__all__ = ["PUSH_FILE", "push_file", "unreachable"]

logger = get_logger(__name__)

PUSH_FILE: Final = 218


def push_file(file: StoredFile, target: str) -> dict[str, Any]:
    """Return the command object that pushes a file into one chat, its address signed as of now.

    One target each, as with texts: the platform would take nine, and may then say a half-done command twice (§4.4).
    """
    return {
        "type": PUSH_FILE,
        "titleList": [target],
        "objectName": file.object_name,
        "fileUrl": url_of(file),
        "fileType": file.kind.file_type,
    }


def unreachable() -> str:
    """Say why the platform's phones could not fetch a file of ours; empty when nothing speaks against it.

    Only what is certain counts: an address that leads nowhere, to this machine or into a private network, while the
    platform is elsewhere. Looked up at most twice a minute for all processes (:mod:`robots.connecting.public`).
    """
    if is_loopback_url(settings.WORKTOOL_BASE_URL):
        return ""
    try:
        seen = look_at_ourselves()
    except redis.RedisError as error:
        logger.warning("files.public_address_unknown", error=type(error).__name__)
        return ""
    if seen.reach == Reach.PUBLIC:
        return ""
    text = _("Phones cannot fetch files from %(url)s: set PUBLIC_URL to an address on the internet, then restart.")
    return text % {"url": seen.url}
