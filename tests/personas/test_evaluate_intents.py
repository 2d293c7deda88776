from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from personas import caches
from personas.evaluating import known_labels
from personas.local.rules import fingerprint, load_rules
from personas.models import IntentRule
from tests.planted import plant_personas


def _file(tmp_path, *rows):
    path = tmp_path / "lines.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.django_db
def test_it_writes_figures_and_predictions_of_the_documented_shape_by_the_seeded_rules(tmp_path, capsys):
    path = _file(
        tmp_path,
        {"text": "退款多久到账", "label": "service/支付问题"},
        {"text": "退款多久到账", "label": "service"},
        {"text": "那个呢", "label": "unclear"},
    )
    report, predictions = tmp_path / "r.json", tmp_path / "p.jsonl"
    call_command("evaluate_intents", str(path), "--json", str(report), "--predictions", str(predictions))
    found = json.loads(report.read_text("utf-8"))
    assert set(found) == {
        "version", "n", "macro_f1", "macro_f1_answered", "abstention", "wrong_share", "p95_ms", "load_s",
        "per_class", "confusion",
    }  # fmt: skip
    assert (found["version"], found["n"], found["macro_f1"], found["wrong_share"]) == (1, 3, 1.0, 0.0)
    assert set(found["per_class"]) == {"service", "service/支付问题"}
    rows = [json.loads(row) for row in predictions.read_text("utf-8").splitlines()]
    assert set(rows[0]) == {"text", "label", "intent", "topic", "confidence", "why"}
    assert (rows[0]["intent"], rows[0]["topic"]) == ("service", "支付问题")
    assert "macro_f1_answered" in capsys.readouterr().out


@pytest.mark.django_db
@pytest.mark.parametrize("label", ["nonsense", "service/没有", "service/", ""])
def test_an_unknown_label_ends_with_2_and_names_the_line(tmp_path, label):
    path = _file(tmp_path, {"text": "a", "label": "chat"}, {"text": "b", "label": label})
    with pytest.raises(CommandError, match="line 2: unknown label") as refused:
        call_command("evaluate_intents", str(path))
    assert refused.value.returncode == 2


@pytest.mark.django_db
def test_a_line_that_is_no_document_is_refused(tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_text('{"text": "a", "label": "chat"}\n["a"]\n', "utf-8")
    with pytest.raises(CommandError, match="line 2"):
        call_command("evaluate_intents", str(path))


@pytest.mark.django_db
def test_rules_of_the_database_count_and_seeded_rows_are_those_that_the_model_knows(tmp_path):
    plant_personas()
    known = {fingerprint(rule) for rule in load_rules()}
    rows = IntentRule.objects.filter(is_active=True).select_related("topic")
    assert {fingerprint(caches.rule_of(row)) for row in rows} == known
    IntentRule.objects.create(slug="own-fly", intent_id="admin", phrases=["飞天遁地"])
    caches.clear()
    found = caches.recogniser().recognise("我要飞天遁地")
    assert found.intent == "admin"
    assert found.why.startswith("规则：")
    assert "支付问题" in known_labels()[1]
