from __future__ import annotations

import json

import numpy as np
import pytest

from personas.local.model import ARRAYS, IntentModel, ModelError
from personas.local.recogniser import Recogniser, decide
from personas.local.rules import load_rules
from personas.local.tokens import grams, marks


@pytest.fixture
def arrays():
    with np.load(ARRAYS, allow_pickle=False) as stored:
        found = {name: stored[name] for name in stored.files}
    header = json.loads(bytes(found.pop("header")))
    return header, found


def test_the_committed_arrays_load_and_judge():
    model = IntentModel.load()
    evidence = Recogniser(load_rules()).examine("怎么退款")
    judged = model.judge(grams(evidence.line), marks("怎么退款", evidence, decide(evidence)))
    assert sum(judged.intents.values()) == pytest.approx(1)
    assert sum(judged.labels.values()) == pytest.approx(1)
    assert max(judged.labels, key=judged.labels.get) == ("service", "支付问题")
    assert any("退款" in gram for gram in model.reasons(judged, ("service", "支付问题")))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 0}, "format 0"),
        ({"labels": [["service", None]]}, "do not fit"),
    ],
)
def test_arrays_whose_labels_do_not_fit_are_refused(arrays, change, said):
    header, found = arrays
    with pytest.raises(ModelError, match=said):
        IntentModel({**header, **change}, found)


def test_an_intent_that_the_product_does_not_know_is_refused(arrays):
    header, found = arrays
    renamed = json.loads(json.dumps(header).replace('"spam"', '"advert"'))
    with pytest.raises(ModelError, match="advert"):
        IntentModel(renamed, found)


def test_a_file_that_is_no_arrays_is_refused(tmp_path):
    path = tmp_path / "intent_model.npz"
    for content in (b"", b"PK\x03\x04 half a file"):
        path.write_bytes(content)
        with pytest.raises(ModelError, match="cannot be read"):
            IntentModel.load(path)
    with pytest.raises(ModelError, match="cannot be read"):
        IntentModel.load(tmp_path / "missing.npz")


def test_unknown_tokens_and_no_tokens_count_nothing():
    model = IntentModel.load()
    assert model.judge({"没有人见过的词": 1}, {"!no-such-rule": 1.0}).tokens == model.judge({}, {}).tokens == []


def test_of_a_number_only_its_length_counts_unless_it_is_a_name():
    assert grams("订单 73920011") == grams("订单 40017735")
    assert grams("打 12315") != grams("打 73920")
