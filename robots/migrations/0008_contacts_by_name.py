"""An index for the question whether a person is a known contact, which is asked for every line."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("robots", "0007_budget")]

    operations = [
        migrations.AddIndex(
            model_name="room",
            index=models.Index(
                fields=["robot", "name"],
                condition=models.Q(("is_group", False), models.Q(("remark", ""), _negated=True)),
                name="robots_room_contact",
            ),
        ),
    ]
