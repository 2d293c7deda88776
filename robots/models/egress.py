"""The addresses that requests to the platform leave from."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Egress(models.Model):
    """One outgoing address, noted before its first request.

    What has left within the window is counted in Redis. When that count is lost, this row tells an address that may
    have used its limit up from one that has never sent anything (:mod:`robots.limiter`).
    """

    name = models.CharField(_("name"), max_length=60, primary_key=True)
    first_used_at = models.DateTimeField(_("first used at"), auto_now_add=True)
    lost_at = models.DateTimeField(_("its count was lost at"), null=True, editable=False)

    class Meta:
        verbose_name = _("outgoing address")
        verbose_name_plural = _("outgoing addresses")

    def __str__(self) -> str:
        return self.name
