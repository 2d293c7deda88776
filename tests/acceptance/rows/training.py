"""Training again from the examples and rules gives the committed arrays and figures."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np

from personas.local.model import ARRAYS
from personas.training.run import train

FIGURES = ("macro_f1", "macro_f1_answered", "abstention", "wrong_share")

#: Another machine's arithmetic may turn single lines, not figures.
TOLERANCE = 0.01


def check(say: Callable[[str], None]) -> None:
    made = train()
    committed = json.loads(ARRAYS.with_suffix(".json").read_text("utf-8"))
    assert made.report["learned_from_sha256"] == committed["learned_from_sha256"], f"run `{committed['command']}`"
    assert made.report["examples"] == committed["examples"]
    for kind in ("out_of_fold", "out_of_fold_intents"):
        for name in FIGURES:
            difference = abs(made.report[kind][name] - committed[kind][name])
            say(f"{kind} {name}: {made.report[kind][name]}, committed {committed[kind][name]}")
            assert difference <= TOLERANCE, f"{kind} {name} differs by {difference}"
    with np.load(ARRAYS, allow_pickle=False) as stored:
        assert set(stored.files) == set(made.arrays)
        assert bytes(stored["tokens"]) == bytes(made.arrays["tokens"])
        turned = int(np.abs(stored["weights"].astype(int) - made.arrays["weights"]).max())
        known, again = (json.loads(bytes(arrays["header"])) for arrays in (stored, made.arrays))
    say(f"weights differ by at most {turned} of 127")
    assert turned <= 2
    assert abs(known["risk_threshold"] - again["risk_threshold"]) <= TOLERANCE
    assert {**known, "calibration": 0, "risk_threshold": 0} == {**again, "calibration": 0, "risk_threshold": 0}
