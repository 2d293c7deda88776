"""Earlier lines: the newest as they are, as many as the persona's tokens allow; of older ones only what matters.

The summary is made without a model: it costs nothing, cannot fail, and is the same on every replay. It keeps what
must not be forgotten (numbers, amounts, dates, what we have promised) and a few of the customer's words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from personas.figures import find_figures
from personas.prompts.fences import TURN_CHARS
from personas.prompts.tokens import PER_MESSAGE, estimate_tokens
from personas.types import ChatMessage

__all__ = ["SUMMARY_CHARS", "bounded_turns", "summary_of"]

SUMMARY_CHARS = 600
#: How many of each kind are kept, the latest ones, and how long one may be.
KEPT = 6
ITEM_CHARS = 60

_ORDER = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{0,6}-?\d[\dA-Za-z-]{5,29}(?![A-Za-z0-9])")
_SENTENCES = re.compile(r"[^。！？!?；;\n]+[。！？!?；;]?")
_PROMISE = re.compile(
    r"会在|会尽快|将会|将于|马上|立即|尽快|稍后|已为您|已经为您|帮您|为您安排|安排|跟进|保证|承诺|同事|退回|到账|补发|回复您"
)
_WANT = re.compile(r"[?？吗呢]|怎么|什么|多少|哪|能不能|可以|退|换|投诉|没有?收到|坏|错|不行|想要?|需要|帮")


def bounded_turns(turns: Sequence[ChatMessage], most: int, tokens: int) -> tuple[tuple[ChatMessage, ...], str]:
    """Return the newest turns (at most so many, within so many tokens) and a summary of the older ones.

    Without tokens nothing is shown of what was said before.
    """
    if tokens <= 0:
        return (), ""
    shown: list[ChatMessage] = []
    for turn in reversed(turns):
        cut = ChatMessage(turn.role, turn.content[:TURN_CHARS])
        tokens -= estimate_tokens(cut.content) + PER_MESSAGE
        if len(shown) == most or tokens < 0:
            break
        shown.append(cut)
    older = turns[: len(turns) - len(shown)]
    return tuple(reversed(shown)), summary_of(older)


def summary_of(turns: Sequence[ChatMessage]) -> str:
    """Return what must be remembered of these turns, a line per kind; empty when there are none."""
    if not turns:
        return ""
    theirs = [turn.content for turn in turns if turn.role != "assistant"]
    ours = [turn.content for turn in turns if turn.role == "assistant"]
    figures = [figure for turn in turns for figure in find_figures(turn.content[:TURN_CHARS])]
    rows = (
        ("单号、号码", _latest(number for turn in turns for number in _ORDER.findall(turn.content))),
        ("金额、比例", _latest(f.text for f in figures if f.kind in ("amount", "percent", "discount", "points"))),
        ("日期、时间", _latest(f.text for f in figures if f.kind in ("date", "weekday", "time", "duration"))),
        ("我方答复过", _latest(_sentences(ours, _PROMISE))),
        ("客户问过", _latest(_sentences(theirs, _WANT)) or _latest(text[:ITEM_CHARS] for text in theirs)),
    )
    lines = [f"更早的 {len(turns)} 句："]
    for name, kept in rows:
        if kept and (room := SUMMARY_CHARS - sum(map(len, lines)) - len(lines) - len(name) - 1) > 0:
            lines.append(f"{name}：{'；'.join(kept)}"[: room + len(name) + 1])
    return "\n".join(lines)


def _sentences(texts: Iterable[str], wanted: re.Pattern[str]) -> Iterator[str]:
    for text in texts:
        yield from (found.strip()[:ITEM_CHARS] for found in _SENTENCES.findall(text) if wanted.search(found))


def _latest(items: Iterable[str]) -> list[str]:
    """The last few different ones, in the order in which they were said first."""
    return list(dict.fromkeys(item for item in items if item))[-KEPT:]
