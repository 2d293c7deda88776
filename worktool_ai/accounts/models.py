"""Who may do what: people, their role and robot scope, API keys, and what they did."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from worktool_ai.lib import clock
from worktool_ai.lib.ids import uuid7


class Role(models.TextChoices):
    """What a person may do; where it may be done is the scope."""

    OWNER = "owner", _("Owner")
    ENGINEER = "engineer", _("Engineer")
    OPERATOR = "operator", _("Operator")
    VIEWER = "viewer", _("Viewer")


class ScopeKind(models.TextChoices):
    ALL = "all", _("All robots")
    GROUPS = "groups", _("Robot groups")
    ROBOTS = "robots", _("Named robots")


class Scoped(models.Model):
    """Role and robot scope, shared by people and API keys.

    Scope values are names of robot groups, or robots' slugs.
    """

    role = models.CharField(_("role"), max_length=16, choices=Role, default=Role.VIEWER)
    scope_kind = models.CharField(_("robot scope"), max_length=16, choices=ScopeKind, default=ScopeKind.ALL)
    scope_values = ArrayField(
        models.CharField(max_length=120), verbose_name=_("scope values"), default=list, blank=True
    )

    class Meta:
        abstract = True


class User(AbstractUser, Scoped):
    """A person who signs in. ``is_staff`` lets somebody into the admin; the role decides what is there."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    display_name = models.CharField(_("display name"), max_length=80, blank=True)
    language = models.CharField(_("language"), max_length=10, default="zh-hans")
    must_change_password = models.BooleanField(_("must change password"), default=False)

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")

    def __str__(self) -> str:
        return self.display_name or self.username

    def set_password(self, raw_password: str | None) -> None:
        """Set a password; the caller saves. One that somebody else has set is to be changed: say so afterwards."""
        super().set_password(raw_password)
        self.must_change_password = False


class ApiKey(Scoped):
    """A key for scripts. Only its digest is stored; the key itself is shown once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=80)
    prefix = models.CharField(_("prefix"), max_length=12, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_by = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="api_keys", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    #: A key stands in for a person wherever a role and a scope are asked for; ``api_keys.find`` checks it.
    is_authenticated = True
    is_anonymous = False

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= clock.now()

    @property
    def is_active(self) -> bool:
        return self.revoked_at is None and not self.is_expired


class AuditEntry(models.Model):
    """Who changed what, when, before and after. Append-only: a trigger refuses UPDATE and DELETE."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField(_("at"), auto_now_add=True)
    actor = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="audit_entries", verbose_name=_("person")
    )
    actor_name = models.CharField(_("acting"), max_length=120, help_text=_("A person, an API key or a process."))
    action = models.CharField(_("action"), max_length=60)
    target_type = models.CharField(_("kind"), max_length=60)
    target_id = models.CharField(_("row"), max_length=64)
    target_name = models.CharField(_("name"), max_length=200, blank=True)
    before = models.JSONField(_("before"), default=dict)
    after = models.JSONField(_("after"), default=dict)
    request_id = models.CharField(_("request"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        ordering = ["-at"]
        indexes = [
            models.Index(fields=["-at"], name="accounts_audit_recent"),
            # the history of one row
            models.Index(fields=["target_type", "target_id", "-at"], name="accounts_audit_target"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target_type} {self.target_name or self.target_id}"


class SeedMark(models.Model):
    """That a seed row was planted once: one that an operator edited or deleted is never planted again."""

    key = models.CharField(max_length=160, primary_key=True)
    planted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("seed mark")
        verbose_name_plural = _("seed marks")

    def __str__(self) -> str:
        return self.key
