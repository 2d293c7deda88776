"""The kill switch, what people decide about sends that nobody knows the end of, recalls, and the learned pace."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

import worktool_ai.lib.ids


class Migration(migrations.Migration):
    dependencies = [
        ("robots", "0005_merging"),
    ]

    operations = [
        migrations.AddField(
            model_name="command",
            name="decided_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="decided at"),
        ),
        migrations.AddField(
            model_name="command",
            name="decided_by",
            field=models.CharField(blank=True, db_default="", max_length=150, verbose_name="decided by"),
        ),
        migrations.AddField(
            model_name="command",
            name="decision",
            field=models.CharField(
                blank=True,
                choices=[("sent", "was sent"), ("resent", "sent again"), ("unresolved", "stays unknown")],
                db_default="",
                max_length=12,
                verbose_name="decision",
            ),
        ),
        migrations.AddField(
            model_name="command",
            name="recalls",
            field=models.OneToOneField(
                blank=True,
                help_text="Of a command 226: the command whose line it takes back from the chat.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="recall",
                to="robots.command",
                verbose_name="recalls",
            ),
        ),
        migrations.AddField(
            model_name="robot",
            name="pace_s",
            field=models.FloatField(editable=False, null=True, verbose_name="seconds per command"),
        ),
        migrations.CreateModel(
            name="Switch",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=worktool_ai.lib.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "scope",
                    models.CharField(
                        choices=[("all", "all robots"), ("robot", "one robot"), ("room", "one room")],
                        max_length=8,
                        verbose_name="scope",
                    ),
                ),
                ("why", models.CharField(max_length=300, verbose_name="why")),
                ("since", models.DateTimeField(verbose_name="stopped at")),
                ("set_by", models.CharField(max_length=150, verbose_name="stopped by")),
                ("withdrawn", models.PositiveIntegerField(default=0, verbose_name="withdrawn from the queue")),
                ("lifted_at", models.DateTimeField(blank=True, null=True, verbose_name="resumed at")),
                ("lifted_by", models.CharField(blank=True, default="", max_length=150, verbose_name="resumed by")),
                ("lifted_mark", models.UUIDField(blank=True, editable=False, null=True)),
                (
                    "robot",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="switches",
                        to="robots.robot",
                        verbose_name="robot",
                    ),
                ),
                (
                    "room",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="switches",
                        to="robots.room",
                        verbose_name="room",
                    ),
                ),
            ],
            options={
                "verbose_name": "stop of sending",
                "verbose_name_plural": "stops of sending",
                "ordering": ["-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("robot__isnull", True), ("room__isnull", True), ("scope", "all")),
                            models.Q(("robot__isnull", False), ("room__isnull", True), ("scope", "robot")),
                            models.Q(("robot__isnull", False), ("room__isnull", False), ("scope", "room")),
                            _connector="OR",
                        ),
                        name="robots_switch_names",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("lifted_at__isnull", True)),
                        fields=("scope", "robot", "room"),
                        name="robots_switch_in_force",
                        nulls_distinct=False,
                    ),
                ],
            },
        ),
    ]
