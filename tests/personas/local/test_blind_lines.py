"""Floors under the figures of lines that nobody who trains has read; failures name figures, never lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from personas.local.combined import CombinedRecogniser
from personas.local.model import IntentModel
from personas.local.rules import load_rules
from personas.local.scores import at_depth, figures

INTENTS = Path(__file__).parents[2] / "intents"


@pytest.fixture(scope="module")
def recogniser():
    return CombinedRecogniser(load_rules(), IntentModel.load())


def _read(name):
    return [json.loads(line) for line in (INTENTS / name).read_text("utf-8").splitlines() if line.strip()]


@pytest.mark.parametrize(("name", "right", "wrong"), [("held_out.jsonl", 0.88, 0.09), ("held_out_2.jsonl", 0.94, 0.05)])
def test_what_is_answered_is_right_and_enough_is_answered(recogniser, name, right, wrong):
    said = [(row["label"], at_depth(row["label"], recogniser.recognise(row["text"]))) for row in _read(name)]
    found = figures(said)
    told = {key: found[key] for key in ("macro_f1_answered", "abstention", "wrong_share")}
    assert found["macro_f1_answered"] >= right, told
    assert found["abstention"] <= 0.25, told
    assert found["wrong_share"] <= wrong, told


@pytest.mark.parametrize(
    ("name", "recall", "alarms"),
    [
        ("must_reach_human.jsonl", 0.87, 0.2),
        ("must_reach_human_2.jsonl", 0.8, 0.17),
        ("must_reach_human_3.jsonl", 0.93, 0.21),
        ("must_reach_human_4.jsonl", 0.76, 0.13),
        ("must_reach_human_5.jsonl", 0.77, 0.12),
    ],
)
def test_danger_reaches_a_human_more_often_than_near_misses(recogniser, name, recall, alarms):
    told = [(row["must"], recogniser.recognise(row["text"]).intent == "risk") for row in _read(name)]
    dangers = [alarmed for must, alarmed in told if must]
    near = [alarmed for must, alarmed in told if not must]
    assert sum(dangers) >= recall * len(dangers), f"{sum(dangers)} of {len(dangers)}"
    assert sum(near) <= alarms * len(near), f"{sum(near)} of {len(near)} near misses alarmed"
