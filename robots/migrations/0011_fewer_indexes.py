from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("robots", "0010_picture_text"),
    ]

    operations = [
        migrations.AlterField(
            model_name="message",
            name="conversation",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="messages",
                to="robots.conversation",
                verbose_name="conversation",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="duplicate_of",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="duplicates",
                to="robots.message",
                verbose_name="duplicate of",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="media",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="messages",
                to="robots.media",
                verbose_name="media",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="robot",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="messages",
                to="robots.robot",
                verbose_name="robot",
            ),
        ),
        migrations.AddIndex(
            model_name="command",
            index=models.Index(
                condition=models.Q(("kind", 304)), fields=["created_at"], name="robots_command_clear_all"
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("media__isnull", False)), fields=["media"], name="robots_message_media"
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("duplicate_of__isnull", False)),
                fields=["duplicate_of"],
                name="robots_message_duplicate",
            ),
        ),
    ]
