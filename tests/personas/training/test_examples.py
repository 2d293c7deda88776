from __future__ import annotations

from collections import Counter

import pytest

from personas.local.presets import load_intents
from personas.training.examples import Example, ExampleError, families, folds, load_examples
from templates_lib.library import load_library


def test_examples_name_intents_and_topics_that_exist_and_are_enough():
    examples = load_examples()
    intents = Counter(example.intent for example in examples)
    topics = Counter(example.topic for example in examples if example.topic)
    assert set(intents) == {intent.key for intent in load_intents()}
    assert set(topics) == {category.name for category in load_library().categories}
    assert min(intents.values()) >= 60
    assert min(topics.values()) >= 30


def test_a_line_without_intent_or_twice_is_refused_with_its_place(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("退款\n", "utf-8")
    with pytest.raises(ExampleError, match=r"x\.txt:1: .*intent"):
        load_examples(tmp_path)
    path.write_text("# intent: service\n# topic: 支付问题\n退款\n\n# a remark\n退款\n", "utf-8")
    with pytest.raises(ExampleError, match=r"x\.txt:6: .*already"):
        load_examples(tmp_path)


def test_lines_that_share_their_words_are_one_family_and_never_parted():
    texts = ["我的快递怎么还没有到", "今天天气真好", "我的快递怎么还没送到", "他的快递怎么还没送到呢", "不想上班"]
    numbers = families(texts)
    assert numbers[0] == numbers[2] == numbers[3]
    assert len(set(numbers)) == 3
    parts = folds([Example(text, "chat", None) for text in texts], 2)
    assert parts[0] == parts[2] == parts[3]
