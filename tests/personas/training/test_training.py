"""The committed arrays were made of the examples and rules as they are, and claim no more than they keep.

That training makes the same arrays again is shown by ``make accept ROW=training``: it takes a minute.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from personas.local.model import ARRAYS
from personas.training.examples import digest
from personas.training.run import arrays_sha256


@pytest.fixture(scope="module")
def committed():
    return json.loads(ARRAYS.with_suffix(".json").read_text("utf-8"))


def test_the_arrays_have_learned_from_the_examples_and_rules_as_they_are(committed):
    assert committed["learned_from_sha256"] == digest(), f"examples or rules changed: run `{committed['command']}`"


def test_the_figures_are_those_of_the_arrays(committed):
    assert ARRAYS.stat().st_size <= 5 * 1024 * 1024
    with np.load(ARRAYS, allow_pickle=False) as stored:
        known = json.loads(bytes(stored["header"]))
        assert committed["arrays_sha256"] == arrays_sha256(dict(stored))
    assert known["risk_threshold"] == committed["risk_threshold"]


def test_claimed_confidence_is_borne_out_out_of_fold(committed):
    for band in committed["confidence"].values():
        if band["n"] >= 100:
            assert band["right"] >= band["claimed"] - 0.07, band


def test_lines_out_of_fold_are_not_answered_wrongly_more_often_than_before(committed):
    found = committed["out_of_fold"]
    assert found["macro_f1_answered"] >= 0.76
    assert found["wrong_share"] <= 0.10
