"""The committed arrays are what the examples make, and the figures beside them are theirs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from personas.local.model import ARRAYS
from personas.training.run import train

FIGURES = ("macro_f1", "macro_f1_answered", "abstention", "wrong_share")

#: Another machine's arithmetic may turn single lines, not figures.
TOLERANCE = 0.01


@pytest.fixture(scope="module")
def trained():
    return train()


@pytest.fixture(scope="module")
def committed():
    return json.loads(ARRAYS.with_suffix(".json").read_text("utf-8"))


def test_figures_are_those_of_the_examples_and_rules(trained, committed):
    assert trained.report["learned_from_sha256"] == committed["learned_from_sha256"], (
        f"examples or rules changed: run `{committed['command']}`"
    )
    assert trained.report["examples"] == committed["examples"]
    for kind in ("out_of_fold", "out_of_fold_intents"):
        for name in FIGURES:
            assert trained.report[kind][name] == pytest.approx(committed[kind][name], abs=TOLERANCE), (kind, name)


def test_arrays_are_those_that_training_makes(trained):
    assert ARRAYS.stat().st_size <= 5 * 1024 * 1024
    with np.load(ARRAYS, allow_pickle=False) as stored:
        assert set(stored.files) == set(trained.arrays)
        assert bytes(stored["tokens"]) == bytes(trained.arrays["tokens"])
        turned = stored["weights"].astype(int) - trained.arrays["weights"]
        assert np.abs(turned).max() <= 2
        known, made = (json.loads(bytes(arrays["header"])) for arrays in (stored, trained.arrays))
    assert {**known, "calibration": 0, "risk_threshold": 0} == {**made, "calibration": 0, "risk_threshold": 0}
    assert known["risk_threshold"] == pytest.approx(made["risk_threshold"], abs=TOLERANCE)


def test_claimed_confidence_is_borne_out_out_of_fold(committed):
    for band in committed["confidence"].values():
        if band["n"] >= 100:
            assert band["right"] >= band["claimed"] - 0.07, band


def test_lines_out_of_fold_are_not_answered_wrongly_more_often_than_before(committed):
    found = committed["out_of_fold"]
    assert found["macro_f1_answered"] >= 0.76
    assert found["wrong_share"] <= 0.10
