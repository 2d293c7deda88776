"""``python -m personas.training``: writes ``personas/data/intent_model.npz`` and its figures beside it."""

from __future__ import annotations

import json
import sys

import numpy as np

from personas.local.model import ARRAYS
from personas.training.run import train


def main() -> int:
    training = train()
    np.savez_compressed(ARRAYS, allow_pickle=False, **training.arrays)
    figures = json.dumps(training.report, ensure_ascii=False, indent=1)
    ARRAYS.with_suffix(".json").write_text(figures + "\n", encoding="utf-8")
    scored = training.report["out_of_fold"]
    told = ("macro_f1", "macro_f1_answered", "abstention", "wrong_share")
    sys.stdout.write(" ".join(f"{name}={scored[name]}" for name in told) + f" {ARRAYS.stat().st_size} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
