"""A published version never changes: runs keep the graph that they started with."""

from __future__ import annotations

from django.db import migrations

IMMUTABLE = """
CREATE FUNCTION flows_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a published flow version is immutable: % refused', TG_OP
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER flows_version_no_change BEFORE UPDATE OF flow_id, number, graph ON flows_flowversion
    FOR EACH ROW
    WHEN ((OLD.flow_id, OLD.number, OLD.graph) IS DISTINCT FROM (NEW.flow_id, NEW.number, NEW.graph))
    EXECUTE FUNCTION flows_refuse_change();
CREATE TRIGGER flows_version_no_delete BEFORE DELETE ON flows_flowversion
    FOR EACH ROW EXECUTE FUNCTION flows_refuse_change();
"""

UNDO = """
DROP TRIGGER flows_version_no_delete ON flows_flowversion;
DROP TRIGGER flows_version_no_change ON flows_flowversion;
DROP FUNCTION flows_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("flows", "0001_initial")]
    operations = [migrations.RunSQL(IMMUTABLE, UNDO)]
