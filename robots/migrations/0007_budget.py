"""The request budget, the phone's duplicate filter, and what becomes of stale replies."""

from __future__ import annotations

import datetime

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("robots", "0006_switches")]

    operations = [
        migrations.CreateModel(
            name="Egress",
            fields=[
                (
                    "name",
                    models.CharField(max_length=60, primary_key=True, serialize=False, verbose_name="name"),
                ),
                ("first_used_at", models.DateTimeField(auto_now_add=True, verbose_name="first used at")),
                ("lost_at", models.DateTimeField(editable=False, null=True, verbose_name="its count was lost at")),
            ],
            options={"verbose_name": "outgoing address", "verbose_name_plural": "outgoing addresses"},
        ),
        migrations.AddField(
            model_name="robot",
            name="stale_reply",
            field=models.CharField(
                choices=[
                    ("expire", "It is not sent any more"),
                    ("apologise", "It is sent with an apology in front"),
                ],
                db_default="expire",
                default="expire",
                max_length=10,
                verbose_name="a stale reply",
            ),
        ),
        migrations.AddField(
            model_name="robot",
            name="requests_per_minute",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="A limit of its own, inside the one that all robots share. Empty: only the shared one.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
                verbose_name="requests per minute",
            ),
        ),
        migrations.AddField(
            model_name="command",
            name="variants",
            field=models.JSONField(
                blank=True,
                db_default=models.Value([], models.JSONField()),
                default=list,
                editable=False,
                verbose_name="other wordings",
            ),
        ),
        migrations.AddField(
            model_name="command",
            name="reworded",
            field=models.CharField(
                blank=True,
                choices=[
                    ("variant", "another wording: the phone would have swallowed an equal text"),
                    ("apology", "an apology was put in front: it came late"),
                ],
                db_default="",
                max_length=8,
                verbose_name="reworded",
            ),
        ),
        migrations.AddField(
            model_name="command",
            name="covered_by",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="The equal command that stands in the room instead.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="covers",
                to="robots.command",
                verbose_name="covered by",
            ),
        ),
        migrations.AddField(
            model_name="command",
            name="fingerprint",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.db.models.functions.text.MD5(
                    django.db.models.functions.comparison.Cast("payload", models.TextField())
                ),
                output_field=models.CharField(max_length=32),
            ),
        ),
        migrations.AddIndex(
            model_name="command",
            index=models.Index(
                models.F("fingerprint"),
                django.db.models.functions.comparison.Coalesce(
                    "final_at",
                    models.Value(datetime.datetime(9999, 12, 31, 0, 0, tzinfo=datetime.timezone.utc)),  # noqa: UP017
                ),
                condition=models.Q(("sending_at__isnull", False)),
                name="robots_command_equal",
            ),
        ),
        migrations.AddIndex(
            model_name="command",
            index=models.Index(
                fields=["covered_by"],
                condition=models.Q(("covered_by__isnull", False)),
                name="robots_command_covered",
            ),
        ),
    ]
