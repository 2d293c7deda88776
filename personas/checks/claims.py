"""Figures and promises that nobody gave the model.

A figure of an answer must stand in what we said (prompt, facts, hints, instructions, earlier answers) or in what the
customer said. What is promised, and where a customer is sent, must be ours: that he wrote it makes it no promise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from personas.checks.evidence import Evidence
from personas.checks.problem import Problem
from personas.figures import Figure, find_figures, normal_text

__all__ = ["claim_problem"]

_SENTENCE = re.compile(r"[^。!?;\n]+[。!?;]?")

_PROMISED_MONEY = re.compile(
    r"(?:退款|退[还回给您你]|全?额?退|赔|补偿|返现|返[还您你]|转[给账]|打[给到款]|送[您你给]|赠送|优惠|减免|便宜|打折|折|降到|抵扣|免单|发放|红包)"
)
_HEDGED = re.compile(
    r"核实|核对|确认|查询|查一下|看一下|同事|人工|审核|登记|反馈|记录|了解|是否|吗|\?|您(?:说|提|反馈|想|要|问|申请|希望)|不能|无法|没有(?!问题)|不是|暂时|不支持|暂不|以.{0,6}为准"
)
_SENT_AWAY = re.compile(
    r"点击|点开|打开|访问|登录|扫码|下载|加[我一入微为]|添加|进入|复制|拨打|致电|联系(?![您你])|加V|转账|付款|汇款|打到|咨询|请[看查加]"
)
_PAID_TO = re.compile(r"打款|转账|付款|汇款|货款|打到|转到|收款")
_PROMISED = re.compile(
    r"到账|退[款回还]|送达|送到|到货|发货|寄出|处理|解决|完成|修好|上线|补发|回电|联系|回复|答复|上门|派送|安装|恢复"
)
_NO_FIGURE = re.compile(
    r"全额(?:退|赔|返|补)|假一(?:赔|罚)|免单|免费(?:送|赠|给|更换|升级)|白送|[双两三五十]倍(?:赔|返|补|退|奖)|(?:赔|退|返)[^,、。]{0,4}倍|无条件(?:退|赔)|终身(?:免费|质保|保修)"
)
_DAY = re.compile(r"明天|后天|今晚|明早|下周|下个?月|月底|周末前|今天(?:之?内|下班前)|本周(?:之?内|末)?|当[天日]")
_WAIT = re.compile(r"稍等|等待|等候|间隔|静置|长按|重启|重试|再试|休息|充电|关机")
_WISH = re.compile(r"愉快|快乐|祝")

_MONEY = frozenset({"amount", "percent", "discount", "points"})
_AWAY = frozenset({"link", "contact", "phone"})

_NAMES = {
    "link": "链接",
    "contact": "联系方式",
    "phone": "电话",
    "date": "日期",
    "weekday": "日期",
    "time": "时间",
    "percent": "比例",
    "discount": "折扣",
    "amount": "金额",
    "points": "优惠",
    "duration": "时限",
    "number": "号码",
}


def claim_problem(text: str, evidence: Evidence) -> Problem | None:
    for sentence in _SENTENCE.findall(normal_text(text)):
        for problem in _problems(sentence, evidence):
            return problem
    return None


def _problems(sentence: str, evidence: Evidence) -> Iterator[Problem]:
    for figure in find_figures(sentence):
        if _is_harmless(figure, sentence) or evidence.ours.support(figure):
            continue
        if not evidence.theirs.support(figure):
            yield Problem("claim", f"{_NAMES[figure.kind]}“{figure.text}”没有依据")
        elif _is_promise(figure, sentence):
            yield Problem("promise", f"{_NAMES[figure.kind]}“{figure.text}”只是客户自己说的，不能当作承诺或指引")
    if not _HEDGED.search(sentence):
        yield from _bare_promises(sentence, evidence)


def _is_harmless(figure: Figure, sentence: str) -> bool:
    """Seconds, and minutes to wait, are no promise; a wish for the weekend is none either."""
    if figure.kind == "weekday":
        return bool(_WISH.search(sentence))
    if figure.kind != "duration":
        return False
    return figure.value.endswith("秒") or (
        "分钟" in figure.text and bool(_WAIT.search(sentence)) and not _PROMISED.search(sentence)
    )


def _is_promise(figure: Figure, sentence: str) -> bool:
    if figure.kind in _MONEY:
        return bool(_PROMISED_MONEY.search(sentence)) and not _HEDGED.search(sentence)
    if figure.kind == "number":
        return bool(_PAID_TO.search(sentence))
    return figure.kind in _AWAY and bool(_SENT_AWAY.search(sentence))


def _bare_promises(sentence: str, evidence: Evidence) -> Iterator[Problem]:
    """Promises without a figure: all the money, something for nothing, by a certain day."""
    for found in _NO_FIGURE.finditer(sentence):
        if found[0] not in evidence.ours.plain:
            yield Problem("promise", f"承诺“{found[0]}”没有依据")
    day = _DAY.search(sentence)
    if day and _PROMISED.search(sentence) and day[0] not in evidence.ours.plain + evidence.theirs.plain:
        yield Problem("claim", f"日期“{day[0]}”没有依据")
