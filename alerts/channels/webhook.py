"""A signed JSON post to an address of the operator's choice."""

from __future__ import annotations

import hashlib
import hmac
import json
import time

from django.utils.translation import gettext_noop as _
from pydantic import Field, field_validator

from alerts.channels import Channel, ChannelError, NotConfigured, Notification, Receipt
from alerts.texts import alert_link
from worktool_ai.lib import http
from worktool_ai.lib.config import SECRET, PluginConfig

__all__ = ["WebhookChannel", "signature"]

#: Statuses after which another attempt can succeed.
_PASSING = frozenset({408, 425, 429})


class WebhookConfig(PluginConfig):
    """Where to post, and the secret with which the receiver can check that it was us.

    The address is secret too: whoever knows it can post there, and vendors put their tokens into it.
    """

    url: str = Field(default="", max_length=500, title=_("Address"), json_schema_extra=SECRET)
    secret: str = Field(default="", max_length=200, title=_("Signing secret"), json_schema_extra=SECRET)
    allow_private: bool = Field(
        default=False,
        title=_("Private addresses allowed"),
        description=_("Only for a receiver of your own on this machine or network; refused otherwise."),
    )

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("an address starts with http:// or https://")
        return url

    @classmethod
    def example(cls) -> WebhookConfig:
        return cls(url="https://hooks.example.com/worktool", secret="example")  # noqa: S106


class WebhookChannel(Channel):
    """Posts the notification as JSON, signed with HMAC-SHA256 over time and body.

    Headers: ``X-WorkTool-Timestamp`` (seconds), ``X-WorkTool-Signature`` (``sha256=`` and hex digits of
    ``timestamp + "." + body``), ``X-WorkTool-Delivery`` (the same on a repetition).
    """

    key = "webhook"
    label = _("Webhook")
    Config = WebhookConfig

    def send(self, notification: Notification) -> Receipt:
        if not self.config.url:
            raise NotConfigured("no address is set")
        body = json.dumps(_payload(notification), ensure_ascii=False).encode()
        try:
            answer = http.request(
                "POST",
                self.config.url,
                headers=self._headers(notification, body),
                body=body,
                timeout=self.timeout_s,
                allow_private=self.config.allow_private,
            )
        except http.Refused as error:
            raise ChannelError(str(error), permanent=True) from None
        except http.HttpError as error:
            raise ChannelError(str(error)) from None
        if not answer.ok:
            final = 300 <= answer.status < 500 and answer.status not in _PASSING
            raise ChannelError(f"the receiver answered {answer.status}", permanent=final)
        return Receipt(f"HTTP {answer.status}")

    def _headers(self, notification: Notification, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "X-WorkTool-Delivery": str(notification.delivery_id),
        }
        if self.config.secret:
            moment = str(int(time.time()))
            headers["X-WorkTool-Timestamp"] = moment
            headers["X-WorkTool-Signature"] = signature(self.config.secret, moment, body)
        return headers


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what a receiver must compute from the timestamp header and the raw body."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={digest.hexdigest()}"


def _payload(notification: Notification) -> dict[str, object]:
    return {
        "event": "alert",
        "deliveryId": str(notification.delivery_id),
        "alertId": str(notification.alert_id),
        "level": notification.level,
        "code": notification.code,
        "text": notification.text,
        "room": notification.room_name,
        "url": alert_link(notification.alert_id),
    }
