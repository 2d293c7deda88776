"""Where sources on the platform disagree, a dialect says which reading is played. The first value is the
default.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Dialect(BaseModel):
    """``GET|PUT /sim/dialect``; a key that is left out of a PUT has its default.

    * ``code``: the success code of replies.
    * ``atMe``: "true"/"false", true/false, or always null.
    * ``messageId`` of message callbacks: unique, absent, first without and seconds later again with one, or
      shared by several different lines.
    * ``body``: callbacks as JSON or as an URL-encoded form (all values text, null left out).
    * ``failListOnSuccess``: results carry name lists with errorCode 0, the last recipient among the failed
      ones.
    * ``resultFirst``: the result callback comes before the answer to the send.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    code: Literal[200, 0] = 200
    atMe: Literal["string", "bool", "null"] = "string"
    messageId: Literal["unique", "absent", "late", "shared"] = "unique"
    body: Literal["json", "form"] = "json"
    failListOnSuccess: bool = False
    resultFirst: bool = False
