from __future__ import annotations

import pytest

from personas.local.recogniser import Recognition
from personas.local.scores import at_depth, figures


def test_figures_of_a_small_table_by_hand():
    found = figures(
        [
            ("service", "service"),
            ("service", "unclear"),
            ("chat", "chat"),
            ("chat", "service"),
            ("unclear", "chat"),
            ("unclear", "unclear"),
        ]
    )
    assert found["n"] == 6
    assert found["abstention"] == pytest.approx(1 / 4)
    assert found["wrong_share"] == pytest.approx(2 / 6, abs=1e-4)
    assert found["per_class"]["service"] == {"n": 2, "precision": 0.5, "recall": 0.5, "f1": 0.5}
    assert found["per_class"]["chat"] == {"n": 2, "precision": 0.5, "recall": 0.5, "f1": 0.5}
    assert found["macro_f1"] == 0.5
    # without the abstained line, service has recall 1
    assert found["macro_f1_answered"] == pytest.approx((2 / 3 + 1 / 2) / 2, abs=1e-4)
    assert found["confusion"]["unclear"] == {"chat": 1, "unclear": 1}


def test_a_line_is_judged_at_its_labels_depth():
    found = Recognition("service", "支付问题", 0.9, "x")
    assert at_depth("service", found) == "service"
    assert at_depth("service/物流查询", found) == "service/支付问题"
    assert at_depth("service/物流查询", Recognition("unclear", None, 0.1, "x")) == "unclear"
