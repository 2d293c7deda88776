from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("templates_lib", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Attachment",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("content_type", models.CharField(max_length=80, verbose_name="content type")),
                ("size", models.PositiveIntegerField(verbose_name="size (bytes)")),
                ("content", models.BinaryField()),
                ("stored_at", models.DateTimeField(help_text="When it was uploaded last.", verbose_name="stored at")),
            ],
            options={
                "verbose_name": "attachment",
                "verbose_name_plural": "attachments",
                "base_manager_name": "objects",
            },
        ),
        migrations.AddField(
            model_name="messagetemplate",
            name="attachment_name",
            field=models.CharField(blank=True, db_default="", max_length=80, verbose_name="file name"),
        ),
        migrations.AlterField(
            model_name="messagetemplate",
            name="body",
            field=models.TextField(blank=True, verbose_name="text"),
        ),
        migrations.AddField(
            model_name="messagetemplate",
            name="attachment",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="templates",
                to="templates_lib.attachment",
                verbose_name="picture or file",
            ),
        ),
        migrations.AddConstraint(
            model_name="messagetemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("body", ""), _negated=True), ("attachment__isnull", False), _connector="OR"
                ),
                name="templates_template_says",
            ),
        ),
    ]
