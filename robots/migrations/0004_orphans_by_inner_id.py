"""An index for orphaned results by the id inside rawMsg: without it each accepted command read the whole table."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("robots", "0003_recovery")]

    operations = [
        migrations.AddIndex(
            model_name="commandresult",
            index=models.Index(
                fields=["inner_id"],
                condition=models.Q(("command__isnull", True), models.Q(("inner_id", ""), _negated=True)),
                name="robots_result_orphan_inner",
            ),
        ),
    ]
