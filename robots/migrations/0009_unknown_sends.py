"""The desk for sends whose end nobody knows."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("robots", "0008_contacts_by_name")]

    operations = [
        migrations.CreateModel(
            name="UnknownSend",
            fields=[],
            options={
                "verbose_name": "unknown send",
                "verbose_name_plural": "unknown sends",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("robots.command",),
        ),
    ]
