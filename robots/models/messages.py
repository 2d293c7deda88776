"""Rooms, conversations and the lines said in them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from robots.models.inbound import Media
from robots.models.robots import Robot
from worktool_ai.lib.ids import uuid7


class RoomType(models.IntegerChoices):
    """The platform's numbers; 0 is what we store when it said nothing."""

    UNKNOWN = 0, _("unknown")
    EXTERNAL_GROUP = 1, _("external group")
    EXTERNAL_CONTACT = 2, _("external contact")
    INTERNAL_GROUP = 3, _("internal group")
    INTERNAL_CONTACT = 4, _("internal contact")


class Reason(models.TextChoices):
    """Why a line was answered, or not. Closed list: added to, never renamed (reference/interface.md)."""

    ANSWERED = "answered", _("Answered")
    ANSWERED_BY_COLLEAGUE = "answered_by_colleague", _("A colleague has answered")
    HANDED_OVER = "handed_over", _("Handed over to a person")
    ASKED_BACK = "asked_back", _("Not understood, so we asked back")
    DRAFT_ONLY = "draft_only", _("Only a draft was written: the robot is in shadow mode")
    CHATTER = "chatter", _("Small talk in a group that did not mention the robot")
    NOT_MENTIONED = "not_mentioned", _("The robot was not mentioned and nothing was clearly asked of it")
    LISTED_OUT = "listed_out", _("This room or person is on the list that is not answered")
    QUIET_HOURS = "quiet_hours", _("Outside working hours")
    LIMIT = "limit", _("The limit of answers was reached")
    LOOP_GUARD = "loop_guard", _("Stopped so that two robots do not answer each other")
    OWNER_HUMAN = "owner_human", _("A colleague has taken this conversation over")
    STAFF_LINE = "staff_line", _("Said by a colleague")
    OTHER_ROBOT = "other_robot", _("Said by a robot")
    SYSTEM_LINE = "system_line", _("A system event, not a question")
    UNSUPPORTED_TYPE = "unsupported_type", _("A kind of message whose content the platform does not deliver")
    DUPLICATE = "duplicate", _("The platform delivered the same line twice")
    MERGED = "merged", _("Answered together with the next line")
    STALE_LINE = "stale_line", _("The line was too old when it could be handled")
    STALE_REPLY = "stale_reply", _("The reply was too old to be sent")
    WITHDRAWN = "withdrawn", _("The reply was withdrawn before it was sent")
    SEND_FAILED = "send_failed", _("The platform could not send the reply")
    SEND_UNKNOWN = "send_unknown", _("Nobody can say yet whether the reply was sent")
    STOPPED_BY_SWITCH = "stopped_by_switch", _("Sending is switched off")
    FLOW_SILENT = "flow_silent", _("The flow ended without an answer")
    FLOW_FAILED = "flow_failed", _("The flow failed")
    DEAD_LETTER = "dead_letter", _("The line could not be processed and waits among the dead letters")
    CLOSED_BY_RESTORE = "closed_by_restore", _("Closed when a backup was restored")


#: Silence that may leave a question open; of other lines than these a person has decided, or the flow.
LEFT_OPEN = (
    Reason.STALE_LINE,
    Reason.DEAD_LETTER,
    Reason.STALE_REPLY,
    Reason.FLOW_FAILED,
    Reason.SEND_FAILED,
    Reason.WITHDRAWN,
)


class Direction(models.TextChoices):
    IN = "in", _("customer")
    OUT = "out", _("robot")


class Owner(models.TextChoices):
    ROBOT = "robot", _("robot")
    HUMAN = "human", _("colleague")


class Room(models.Model):
    """A group, or a private chat with one person. ``address`` is the name under which the platform finds it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    robot = models.ForeignKey(Robot, on_delete=models.PROTECT, related_name="rooms", verbose_name=_("robot"))
    is_group = models.BooleanField(_("group"))
    room_type = models.PositiveSmallIntegerField(_("room type"), choices=RoomType, default=RoomType.UNKNOWN)
    address = models.CharField(
        _("address"),
        max_length=200,
        help_text=_("The remark where one is set, else the name: the platform's address."),
    )
    name = models.CharField(_("name"), max_length=200)
    remark = models.CharField(_("remark"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("first seen"), auto_now_add=True)

    class Meta:
        verbose_name = _("room")
        verbose_name_plural = _("rooms")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["robot", "is_group", "address"], name="robots_room_address"),
        ]
        indexes = [
            # engine: "is this person a known contact?", asked for every line
            models.Index(
                fields=["robot", "name"],
                condition=models.Q(is_group=False) & ~models.Q(remark=""),
                name="robots_room_contact",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Conversation(models.Model):
    """One person in one room of one robot: the unit of order, ownership and memory.

    Every change of ``owner`` raises ``owner_epoch``; a command made under an older epoch is withdrawn, not sent. Lines
    that came before ``owner_since`` belonged to another owner: the robot does not answer them any more.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    robot = models.ForeignKey(Robot, on_delete=models.PROTECT, related_name="conversations", verbose_name=_("robot"))
    room = models.ForeignKey(Room, on_delete=models.PROTECT, related_name="conversations", verbose_name=_("room"))
    sender_name = models.CharField(_("person"), max_length=200)
    owner = models.CharField(_("owner"), max_length=8, choices=Owner, default=Owner.ROBOT)
    owner_epoch = models.PositiveIntegerField(default=0, editable=False)
    owner_since = models.DateTimeField(_("owned since"), null=True, blank=True, editable=False)
    owner_set_by = models.CharField(_("set by"), max_length=150, blank=True, db_default="", editable=False)
    created_at = models.DateTimeField(_("first seen"), auto_now_add=True)

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["room", "sender_name"], name="robots_conversation_person")]

    def __str__(self) -> str:
        return f"{self.sender_name} · {self.room}"


class Message(models.Model):
    """One line, of a customer (``in``) or of the robot (``out``).

    in:  stored --------------------> settled (reason, run)
    out: written with its command; its state is the command's
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # every line writes each index of this table three times over: foreign keys share the indexes below
    robot = models.ForeignKey(
        Robot, on_delete=models.PROTECT, related_name="messages", verbose_name=_("robot"), db_index=False
    )
    room = models.ForeignKey(Room, on_delete=models.PROTECT, related_name="messages", verbose_name=_("room"))
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.PROTECT,
        related_name="messages",
        verbose_name=_("conversation"),
        db_index=False,
    )
    direction = models.CharField(_("direction"), max_length=3, choices=Direction)
    sender_name = models.CharField(_("person"), max_length=200)
    text = models.TextField(_("text"), blank=True)
    raw_text = models.TextField(_("raw text"), blank=True)
    text_type = models.SmallIntegerField(_("content type"), default=1)
    at_me = models.BooleanField(_("robot mentioned"), default=False)
    platform_id = models.CharField(_("platform id"), max_length=64, blank=True)
    media = models.ForeignKey(
        Media,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="messages",
        verbose_name=_("media"),
        db_index=False,
    )
    picture_text = models.TextField(
        _("what is on the picture"), blank=True, default="", db_default="", help_text=_("In a model's words.")
    )
    received_at = models.DateTimeField(_("received at"), help_text=_("When the door took it."))
    stored_at = models.DateTimeField(_("stored at"), auto_now_add=True)
    is_backfill = models.BooleanField(_("fetched afterwards"), default=False)
    duplicate_of = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="duplicates",
        verbose_name=_("duplicate of"),
        db_index=False,
    )
    intent = models.CharField(_("intent"), max_length=32, blank=True)
    intent_confidence = models.FloatField(_("confidence"), null=True, blank=True)
    topic = models.CharField(_("topic"), max_length=40, blank=True)
    reason = models.CharField(_("reason"), max_length=32, choices=Reason, blank=True)
    run_id = models.UUIDField(_("run"), null=True, blank=True)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    extra = models.JSONField(_("further fields"), default=dict, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-received_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(settled_at__isnull=True) | ~models.Q(reason=""),
                name="robots_message_settled_reason",
            ),
        ]
        indexes = [
            # panel: newest lines, all or of one robot
            models.Index(fields=["-received_at", "-id"], name="robots_message_recent"),
            models.Index(fields=["robot", "-received_at"], name="robots_message_robot"),
            # history handed to the model: the last lines of a conversation
            models.Index(fields=["conversation", "-id"], name="robots_message_history"),
            # lines nobody has settled yet: readiness, sweeper, consistency
            models.Index(
                fields=["received_at"],
                condition=models.Q(settled_at__isnull=True, direction="in"),
                name="robots_message_open",
            ),
            # questions that nobody has answered
            models.Index(
                fields=["-received_at"],
                condition=models.Q(direction="in", reason__in=LEFT_OPEN),
                name="robots_message_question",
            ),
            models.Index(fields=["platform_id"], condition=~models.Q(platform_id=""), name="robots_message_platform"),
            models.Index(fields=["media"], condition=models.Q(media__isnull=False), name="robots_message_media"),
            models.Index(
                fields=["duplicate_of"], condition=models.Q(duplicate_of__isnull=False), name="robots_message_duplicate"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sender_name}: {self.shown_text[:40]}"

    @property
    def shown_text(self) -> str:
        """The text for people; after it what a model has seen on the line's picture."""
        picture = _("Picture: %(seen)s") % {"seen": self.picture_text} if self.picture_text else ""
        return "\n".join(part for part in (self.text, picture) if part)
