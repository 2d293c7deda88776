"""A published version still never changes, but a secret inside its nodes can be encrypted with another key."""

from __future__ import annotations

from django.db import migrations

TOKENS_APART = """
CREATE FUNCTION flows_without_tokens(graph jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_replace(graph::text, '{"sealed": "[0-9a-f]{8}:[A-Za-z0-9_=-]+"}', '{"sealed": ""}', 'g')
$$;
DROP TRIGGER flows_version_no_change ON flows_flowversion;
CREATE TRIGGER flows_version_no_change BEFORE UPDATE OF flow_id, number, graph ON flows_flowversion
    FOR EACH ROW
    WHEN (
        (OLD.flow_id, OLD.number, flows_without_tokens(OLD.graph))
        IS DISTINCT FROM (NEW.flow_id, NEW.number, flows_without_tokens(NEW.graph))
    )
    EXECUTE FUNCTION flows_refuse_change();
"""

UNDO = """
DROP TRIGGER flows_version_no_change ON flows_flowversion;
DROP FUNCTION flows_without_tokens(jsonb);
CREATE TRIGGER flows_version_no_change BEFORE UPDATE OF flow_id, number, graph ON flows_flowversion
    FOR EACH ROW
    WHEN ((OLD.flow_id, OLD.number, OLD.graph) IS DISTINCT FROM (NEW.flow_id, NEW.number, NEW.graph))
    EXECUTE FUNCTION flows_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("flows", "0003_run_pauses")]
    operations = [migrations.RunSQL(TOKENS_APART, UNDO)]
