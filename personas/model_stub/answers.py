"""The stub's words: an intent by trivial keyword, a fixed sentence per topic. The same text gets the same
answer.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Final

from personas.model_stub.behaviour import MARKER, Purpose

#: Tells lines of a load or failure run apart; echoed in the answer, so that each answer names its question.
ECHO: Final = re.compile(r"#m\d+")
FENCE: Final = re.compile(r"<(\w+)[^<>]*>(.*?)</\1>", re.DOTALL)

#: Words, intent, topic (a template category, or none). The first row with a word in the text wins.
GUESSES: Final[tuple[tuple[tuple[str, ...], str, str], ...]] = (
    (("弄死", "打死", "报复", "12315", "消协", "工商局", "市场监管", "起诉", "曝光", "律师"), "risk", ""),
    (("兼职", "刷单", "代开发票", "加微信", "贷款"), "spam", ""),
    (("投诉", "差评", "太差"), "service", "投诉处理"),
    (("退款", "支付", "付款", "扣款"), "service", "支付问题"),
    (("物流", "快递", "发货", "到货"), "service", "物流查询"),
    (("账号", "密码", "登录", "注册"), "service", "账号问题"),
    (("报错", "闪退", "打不开", "故障", "卡住"), "service", "技术支持"),
    (("会员", "积分"), "service", "会员服务"),
    (("售后", "换货", "质量", "坏了"), "service", "售后咨询"),
    (("怎么用", "如何使用", "教程", "在哪里"), "help", "使用指南"),
    (("多少钱", "价格", "优惠", "怎么买", "下单", "报名"), "conversion", "转化引导"),
    (("新人", "刚进群", "新来的"), "welcome", "欢迎语"),
    (("群规", "禁言"), "admin", "社群规矩"),
    (("早上好", "你好", "哈哈", "天气", "晚安", "吃了"), "chat", "闲聊回复"),
)
REPLIES: Final = {
    "投诉处理": "非常抱歉给您带来不好的体验，我们马上核实并给您答复。",
    "支付问题": "您好，退款可在“我的订单”中申请，审核通过后原路退回。",
    "物流查询": "您好，请提供订单号，我们马上为您查询物流进度。",
    "账号问题": "您好，可在登录页点“忘记密码”，按短信提示重新设置。",
    "技术支持": "您好，请更新到最新版本后重试，仍有问题请发截图给我们。",
}
#: What is on every picture; its digest tells one from another.
SEEN: Final = "一张手机截图，上面写着：账号或密码错误，请重新登录。（图片 {digest}）"
PICTURE_TOKENS: Final = 1000
DEFAULT_REPLY: Final = "您好，您的问题已收到，我们马上为您处理。"
SURE: Final = 0.92
UNSURE: Final = 0.3


def last_user_text(messages: list[dict[str, Any]]) -> str:
    """Return the text of the last message of the user; parts of a list are joined."""
    content = _last_user_content(messages)
    return content if isinstance(content, str) else "\n".join(str(part.get("text", "")) for part in content)


def picture_of(messages: list[dict[str, Any]]) -> str:
    """Return the address of the first picture in the last message of the user; empty without one."""
    content = _last_user_content(messages)
    named = [] if isinstance(content, str) else [part.get("image_url") for part in content]
    return next((str(image.get("url", "")) for image in named if isinstance(image, dict)), "")


def _last_user_content(messages: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    content = next((message.get("content") for message in reversed(messages) if message.get("role") == "user"), "")
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else str(content or "")


def tokens_of(content: Any) -> int:
    """Count a character as a token, and so much for a picture, however large it is."""
    if isinstance(content, str):
        return len(content)
    return sum(PICTURE_TOKENS if "image_url" in part else len(str(part)) for part in content)


def purpose_of(request: dict[str, Any]) -> Purpose:
    """Tell what is asked: a picture shows itself; an intent call asks for JSON, by ``response_format`` or in the
    system prompt; the rest are replies.
    """
    if picture_of(request["messages"]):
        return "picture"
    wanted = request.get("response_format")
    if isinstance(wanted, dict) and str(wanted.get("type", "")).startswith("json"):
        return "intent"
    system = " ".join(str(m.get("content", "")) for m in request["messages"] if m.get("role") == "system")
    return "intent" if "json" in system.lower() and "intent" in system.lower() else "reply"


def customer_words(text: str) -> str:
    """Return what the customer said: the inside of the last fence (``<tag>…</tag>``), without our markers."""
    fenced = FENCE.findall(text)
    return MARKER.sub("", fenced[-1][1] if fenced else text).strip()


def echoes(text: str) -> list[str]:
    return list(dict.fromkeys(ECHO.findall(text)))


def guess(text: str) -> tuple[str, str]:
    """Return intent and topic of a text."""
    words = customer_words(text)
    for keywords, intent, topic in GUESSES:
        if any(keyword in words for keyword in keywords):
            return intent, topic
    return "unclear", ""


def answer(text: str, purpose: Purpose, picture: str = "") -> str:
    """Return the content of the model's message; ``picture`` is the address of the one that is asked about."""
    if purpose == "picture":
        return SEEN.format(digest=hashlib.sha256(picture.encode()).hexdigest()[:8])
    intent, topic = guess(text)
    if purpose == "intent":
        verdict = {
            "intent": intent,
            "topic": topic or None,
            "confidence": UNSURE if intent == "unclear" else SURE,
            "why": "关键词" if intent != "unclear" else "没有匹配的关键词",
        }
        return json.dumps(verdict, ensure_ascii=False)
    return " ".join([REPLIES.get(topic, DEFAULT_REPLY), *echoes(text)])
