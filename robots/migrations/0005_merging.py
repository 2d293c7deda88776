"""Lines of one person that are answered together: a window and an upper bound per robot, off by default."""

from __future__ import annotations

from django.core.validators import MaxValueValidator
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("robots", "0004_orphans_by_inner_id")]

    operations = [
        migrations.AddField(
            model_name="robot",
            name="merge_window_s",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text=(
                    "Lines that one person says within so many seconds, or while an answer is being written, get one"
                    " answer together. 0 answers each line on its own."
                ),
                validators=[MaxValueValidator(120)],
                verbose_name="merging window (s)",
            ),
        ),
        migrations.AddField(
            model_name="robot",
            name="merge_limit_s",
            field=models.PositiveSmallIntegerField(
                default=30,
                help_text=(
                    "So long after the first line the answer is begun at the latest, even if the person goes on."
                ),
                validators=[MaxValueValidator(600)],
                verbose_name="merging limit (s)",
            ),
        ),
    ]
