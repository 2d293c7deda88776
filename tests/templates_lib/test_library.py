from __future__ import annotations

import pytest
import yaml

from templates_lib.library import DATA_FOLDER, FORBIDDEN_WORDS, LibraryError, load_library
from templates_lib.render import variables_of

ALWAYS_KNOWN = {"userName", "botName", "groupName"}

#: Names, order and counts of the product plan, §3.1.
PLANNED = {
    "欢迎语": 5, "问候语": 3, "产品介绍": 8, "使用指南": 10, "售后咨询": 12, "投诉处理": 6,
    "活动推广": 8, "优惠促销": 7, "转化引导": 10, "风险提示": 4, "社群规矩": 5, "闲聊回复": 8,
    "转人工": 3, "技术支持": 9, "账号问题": 6, "支付问题": 7, "物流查询": 5, "会员服务": 6,
    "满意度调查": 4, "客户回访": 5, "节日祝福": 6, "生日祝福": 3, "营销话术": 7, "通用回复": 6,
}  # fmt: skip

GOOD = {
    "slug": "a-b",
    "category": "问候语",
    "name": "名",
    "description": "说明",
    "body": "你好{{userName}}",
    "variables": [{"key": "userName", "source": "message", "example": "张三"}],
}


@pytest.fixture(scope="module")
def library():
    return load_library()


def _load(tmp_path, *templates):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.yaml").write_text(yaml.safe_dump(list(templates), allow_unicode=True), "utf-8")
    return load_library(tmp_path / "data")


def test_categories_are_those_of_the_plan(library):
    assert {c.name: c.planned_count for c in library.categories} == PLANNED
    assert [c.name for c in library.categories] == list(PLANNED)
    assert sum(PLANNED.values()) == 153


def test_every_category_can_answer_with_what_is_always_known(library):
    for category in PLANNED:
        usable = [
            t
            for t in library.templates
            if t.category == category and t.active and set(variables_of(t.body)) <= ALWAYS_KNOWN
        ]
        assert len(usable) >= 2, category


def test_customers_never_read_a_forbidden_word(library):
    for template in library.templates:
        for text in template.texts:
            assert not any(word in text for word in FORBIDDEN_WORDS), template.slug


def test_only_categories_that_pass_on_promise_a_colleague(library):
    """A colleague is told of lines of these topics only; elsewhere the promise would not be kept."""
    passing_on = {c.name for c in library.categories if c.needs_human}
    for template in library.templates:
        if template.category not in passing_on:
            assert not any("同事" in text for text in template.texts), template.slug


def test_texts_are_short_enough_for_a_chat(library):
    for template in library.templates:
        own = [text for text in template.texts if set(variables_of(text)) <= ALWAYS_KNOWN]
        assert all(len(text) <= 120 for text in own), template.slug


def test_no_text_names_a_figure_that_no_company_gave(library):
    for template in library.templates:
        for text in template.texts:
            digits = "".join(c for c in text.replace("120或110", "") if c.isdigit())
            assert not digits or template.slug in {"product-advantage"}, template.slug


def test_named_templates_of_the_flow_exist(library):
    slugs = {template.slug for template in library.templates}
    assert {"ask-back", "ask-for-text", "payment-refund"} <= slugs


def test_data_files_keep_the_published_shape():
    """interface.md: one list a file, one body a template, no key that reads like a second one."""
    keys = {"slug", "category", "name", "description", "body", "variants", "variables"}
    keys |= {"persona_type", "intents", "active"}
    for path in sorted(DATA_FOLDER.glob("*.yaml")):
        text = path.read_text("utf-8")
        rows = yaml.safe_load(text)
        assert "\\u" not in text
        assert all(set(row) - {"private_body"} == keys - {"private_body"} | {"intents", "active"} for row in rows), (
            path.name
        )
        assert text.count("\n  body: ") == len(rows), path.name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"body": "您被标记了{{userName}}"}, "标记"),
        ({"body": "你好{{other}}"}, "differ"),
        ({"category": "没有"}, "unknown category"),
        ({"slug": "Not Ascii"}, "slug"),
        ({"text": "x"}, "text"),
        ({"body": ""}, "body"),
    ],
)
def test_errors_name_the_file_and_the_template(tmp_path, change, said):
    with pytest.raises(LibraryError) as error:
        _load(tmp_path, GOOD | change)
    assert "x.yaml" in str(error.value)
    assert said in str(error.value)


def test_a_slug_is_used_once(tmp_path):
    with pytest.raises(LibraryError, match=r"x\.yaml: a-b: slug is used twice"):
        _load(tmp_path, GOOD, GOOD)


@pytest.mark.parametrize("text", ["{", "a: 1", "- just text"])
def test_what_is_no_list_of_templates_is_refused(tmp_path, text):
    (tmp_path / "x.yaml").write_text(text, "utf-8")
    with pytest.raises(LibraryError, match=r"x\.yaml"):
        load_library(tmp_path)
