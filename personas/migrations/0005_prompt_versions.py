from __future__ import annotations

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import personas.models
import worktool_ai.lib.ids


class Migration(migrations.Migration):
    dependencies = [("personas", "0004_costs_and_budgets")]

    operations = [
        migrations.AddField(
            model_name="aicall",
            name="is_test",
            field=models.BooleanField(db_default=False, default=False, verbose_name="test"),
        ),
        migrations.AddField(
            model_name="persona",
            name="history_tokens",
            field=models.PositiveIntegerField(
                default=1500,
                help_text="Older lines are summarised. 0 shows the model only the line that it answers.",
                validators=[django.core.validators.MaxValueValidator(20000)],
                verbose_name="tokens for earlier lines",
            ),
        ),
        migrations.CreateModel(
            name="PromptVersion",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=worktool_ai.lib.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                ("system_prompt", models.TextField(verbose_name="system prompt")),
                ("temperature", models.DecimalField(decimal_places=2, max_digits=3, verbose_name="temperature")),
                ("max_tokens", models.PositiveIntegerField(verbose_name="most tokens")),
                ("canary", models.CharField(default=personas.models.new_canary, max_length=32)),
                ("note", models.CharField(blank=True, max_length=200, verbose_name="note")),
                ("made_by", models.CharField(max_length=150, verbose_name="made by")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="made at")),
                (
                    "persona",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="versions",
                        to="personas.persona",
                        verbose_name="persona",
                    ),
                ),
            ],
            options={
                "verbose_name": "prompt version",
                "verbose_name_plural": "prompt versions",
                "ordering": ["persona", "-number"],
                "constraints": [
                    models.UniqueConstraint(fields=("persona", "number"), name="personas_promptversion_number")
                ],
            },
        ),
        migrations.AddField(
            model_name="aicall",
            name="prompt_version",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="calls",
                to="personas.promptversion",
                verbose_name="prompt version",
            ),
        ),
    ]
