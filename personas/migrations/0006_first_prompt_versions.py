"""Every persona's prompt becomes its first version; from here on versions are only added."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from personas.models import new_canary
from worktool_ai.lib.ids import uuid7

IMMUTABLE = """
CREATE FUNCTION personas_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a prompt version is immutable: % refused', TG_OP
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER personas_promptversion_no_change
    BEFORE UPDATE OF number, system_prompt, temperature, max_tokens, canary ON personas_promptversion
    FOR EACH ROW
    WHEN ((OLD.number, OLD.system_prompt, OLD.temperature, OLD.max_tokens, OLD.canary)
          IS DISTINCT FROM (NEW.number, NEW.system_prompt, NEW.temperature, NEW.max_tokens, NEW.canary))
    EXECUTE FUNCTION personas_refuse_change();
CREATE TRIGGER personas_promptversion_no_delete BEFORE DELETE ON personas_promptversion
    FOR EACH ROW EXECUTE FUNCTION personas_refuse_change();
"""

UNDO = """
DROP TRIGGER personas_promptversion_no_delete ON personas_promptversion;
DROP TRIGGER personas_promptversion_no_change ON personas_promptversion;
DROP FUNCTION personas_refuse_change();
"""


def number_all(apps: Any, schema_editor: Any) -> None:
    Persona, PromptVersion = (apps.get_model("personas", name) for name in ("Persona", "PromptVersion"))
    PromptVersion.objects.bulk_create(
        PromptVersion(
            id=uuid7(),
            persona=persona,
            number=1,
            system_prompt=persona.system_prompt,
            temperature=persona.temperature,
            max_tokens=persona.max_tokens,
            canary=new_canary(),
            made_by="system",
        )
        for persona in Persona.objects.all()
    )


class Migration(migrations.Migration):
    dependencies = [("personas", "0005_prompt_versions")]
    operations = [
        migrations.RunPython(number_all, migrations.RunPython.noop),
        migrations.RunSQL(IMMUTABLE, UNDO),
    ]
