"""Runs that wait before they are walked (merging, rest after an interruption), and runs that people decide about."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("flows", "0002_append_only")]

    operations = [
        migrations.AddField(
            model_name="run",
            name="flush_at",
            field=models.DateTimeField(
                blank=True,
                help_text="Until then further lines are merged into it, or it rests after an interruption.",
                null=True,
                verbose_name="not before",
            ),
        ),
        migrations.AlterField(
            model_name="run",
            name="recoveries",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="How often its walk broke off. An outage of infrastructure counts nothing.",
                verbose_name="recoveries",
            ),
        ),
        migrations.AlterField(
            model_name="run",
            name="state",
            field=models.CharField(
                choices=[
                    ("queued", "queued"),
                    ("active", "active"),
                    ("settling", "waiting for results"),
                    ("parked", "waiting"),
                    ("paused", "paused after interruptions"),
                    ("done", "done"),
                    ("failed", "failed"),
                    ("stopped", "stopped"),
                ],
                default="queued",
                max_length=10,
                verbose_name="state",
            ),
        ),
    ]
