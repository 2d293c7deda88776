from __future__ import annotations

from tests.flows.builders import context, node, node_context, private


def test_a_group_line_is_answered_in_the_group_with_a_mention():
    result = node("message_dispatch").run(node_context())
    assert (result.patch["target_name"], result.patch["at_list"]) == ("客服群", ("张三",))


def test_a_group_with_a_remark_is_addressed_by_it():
    result = node("message_dispatch").run(node_context(context(group_remark="A03客服")))
    assert result.patch["target_name"] == "A03客服"


def test_a_private_line_is_answered_to_the_person():
    result = node("message_dispatch").run(node_context(private()))
    assert (result.patch["target_name"], result.patch["at_list"]) == ("张三", ())


def test_a_group_line_goes_private_only_to_a_known_contact_with_a_unique_remark():
    configured = node("message_dispatch", group_answer="private_if_known")
    assert configured.run(node_context()).patch["target_name"] == "客服群"
    known = configured.run(node_context(private_address="张三13班"))
    assert (known.patch["target_name"], known.patch["at_list"]) == ("张三13班", ())


def test_further_chats_get_the_answer_too_and_the_mention_can_be_left_out():
    result = node("message_dispatch", further_targets=["值班群"], mention=False).run(node_context())
    assert result.patch["variables"] == {"targets": ["客服群", "值班群"]}
    assert result.patch["at_list"] == ()
