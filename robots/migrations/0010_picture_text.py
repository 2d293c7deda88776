from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("robots", "0009_unknown_sends")]

    operations = [
        migrations.AddField(
            model_name="message",
            name="picture_text",
            field=models.TextField(
                blank=True,
                db_default="",
                default="",
                help_text="In a model's words.",
                verbose_name="what is on the picture",
            ),
        ),
    ]
