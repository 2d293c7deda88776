"""How a call to the platform can end other than well. The difference decides whether it may be repeated."""

from __future__ import annotations

__all__ = ["NoCredentials", "NoLeave", "NotSent", "Rejected", "Throttled", "Unknown", "WorkToolError"]


class WorkToolError(Exception):
    """Base of all. The texts name no robot id: it is a credential."""


class NotSent(WorkToolError):
    """The request never left this machine whole, so the platform cannot have acted on it."""


class NoLeave(NotSent):
    """Our own request limit leaves no room for the request now; it was not made."""


class NoCredentials(WorkToolError):
    """The robot's id or key cannot be decrypted, so nothing was sent. Waiting does not help: somebody has to enter it
    again, or put the encryption key back.
    """


class Unknown(WorkToolError):
    """The request may have been received: no answer, a broken one, or the server failed. Never repeat it blindly."""


class Throttled(WorkToolError):
    """Refused by the platform's rate limit (429): not accepted, and nobody may send for a while."""


class Rejected(WorkToolError):
    """Refused by the platform for good. ``code`` is its own code, or the HTTP status where it gave none."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"refused with {code}: {message}")
        self.code = code
        self.message = message
