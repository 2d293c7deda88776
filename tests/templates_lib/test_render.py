from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates_lib.render import MissingVariables, missing, render, variables_of


def test_variables_are_listed_once_in_order():
    assert variables_of("{{b}} {{ a }} {{b}}") == ("b", "a")


def test_values_replace_variables():
    assert (
        render("欢迎{{userName}}来到{{ groupName }}", {"userName": "张三", "groupName": "客服群"})
        == "欢迎张三来到客服群"
    )


@pytest.mark.parametrize("values", [{}, {"userName": ""}, {"userName": "  "}, {"userName": "\u200b"}])
def test_missing_or_empty_values_stop_the_template(values):
    assert missing("你好{{userName}}", values) == ("userName",)
    with pytest.raises(MissingVariables) as error:
        render("你好{{userName}}", values)
    assert error.value.names == ("userName",)


def test_braces_in_a_value_are_not_looked_at_again():
    assert render("{{a}}", {"a": "{{b}} {0} \\1 %s", "b": "x"}) == "{{b}} {0} \\1 %s"


def test_control_characters_of_a_value_are_dropped_and_line_breaks_stay():
    assert render("{{a}}", {"a": "张\x00三\u202e\x1b[31m\n好"}) == "张三[31m\n好"


@given(st.text())
def test_any_value_is_inserted_without_failing(value):
    body = "你好{{a}}！"
    if missing(body, {"a": value}):
        return
    said = render(body, {"a": value})
    assert said.startswith("你好")
    assert said.endswith("！")
