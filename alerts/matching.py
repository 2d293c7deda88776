"""Which alert rules hold for a line. Pure: rules are snapshots, facts are values."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.conditions import Facts, Verdict
from alerts.types import RuleMatch, RuleSnapshot

__all__ = ["judge", "match"]


def match(rules: Sequence[RuleSnapshot], facts: Facts) -> list[RuleMatch]:
    """Return the rules that hold, in their order."""
    return [judged for judged in judge(rules, facts) if judged.verdict.matched]


def judge(rules: Sequence[RuleSnapshot], facts: Facts) -> list[RuleMatch]:
    """Return every rule's verdict, with what it wanted and what it found.

    A rule that cannot be judged does not hold and says why in ``error``; the others are judged all the same.
    """
    return [_judge(rule, facts) for rule in rules]


def _judge(rule: RuleSnapshot, facts: Facts) -> RuleMatch:
    verdict, error = Verdict(False, "", ""), rule.error
    if rule.condition is not None:
        try:
            verdict = rule.condition.check(facts)
        except Exception as problem:  # a plugin's own mistake must not silence the other rules
            error = f"{type(problem).__name__}: {problem}"
    return RuleMatch(
        slug=rule.slug,
        name=rule.name,
        code=rule.code,
        level=rule.level,
        verdict=verdict,
        channel_ids=rule.channel_ids,
        recipient_ids=rule.recipient_ids,
        error=error,
    )
