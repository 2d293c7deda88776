"""What was meant, by rules: evidence is added up per topic, weighed, and turned into a confidence.

1. All phrases and patterns of all rules are searched at once, in time linear in the line's length.
2. Rules that speak for the same topic (or, without one, for the same intent) add their weights, each weaker one
   less, for they often find the same words. A line that asks or needs something counts more; everyday talk
   counts less.
3. Intents have ranks: a threat is a threat even when it names a refund; a greeting is a greeting only when
   nothing else was said. Among equals the strongest wins, then the one that explains more of the line.
4. Too little evidence, or two topics that explain the line equally well, is an honest ``unclear``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from personas.local.normalise import normalise
from personas.local.phrases import PatternSet, PhraseSet
from personas.local.rules import Rule

__all__ = ["UNCLEAR", "Candidate", "Evidence", "Recogniser", "Recognition", "decide"]

UNCLEAR = "unclear"

#: Which intent wins when several have enough evidence.
RANK = {"risk": 6, "spam": 5, "admin": 4, "service": 3, "conversion": 3, "help": 2, "welcome": 2, "chat": 1}
RANK_OF_OTHERS = 3  # intents that operators add

STEEPNESS = 1.9  # evidence 1.0 -> score 0.85
ENOUGH = 0.5  # score from which a line is answered
ASKING_BONUS = 1.25
NEEDING_BONUS = 1.15
ADDRESSING_BONUS = 1.5
TALK_DAMPING = {True: 0.6, False: 1.0}  # of a line that asks, that does not
REPEAT_BONUS = 0.2
FURTHER_RULE = 0.5  # of each weaker rule's weight: rules that find the same words are no independent witnesses
TIE = 0.05  # evidence by which a rival must be weaker
TALE = 40  # characters from which a line that asks for nothing reads as a tale
EXPLAINS = 0.5  # weight from which a rule explains a line

#: (score, confidence). Of five batches of lines, each run before any rule was fitted to it, about nine in ten answered
#: lines were right, also among the highest scores: no rule deserves more certainty than the top of this table.
CALIBRATION = ((0.0, 0.0), (0.5, 0.7), (0.85, 0.86), (1.0, 0.94))

ASKING = (
    r"\?|吗|怎么|什么|哪|多少|几[天点号个种款折块钱时件年月岁次人级米分]|多久|多长|多大|请问|请教|问下|问一下|能不能|可不可以|可以不|能否|是否|有没有|是不是"
    r"|[^对]不$|没$|呢$|不呢$|谁|帮我|帮忙|帮[查看弄下个帮催改]|能帮|麻烦|求|我想|我要|想要|需要|给我|发我|跟我|你们|你家|客服|老板|亲"
)
#: A statement that says what went wrong, what is missing or what should happen.
NEEDING = (
    r"[不没]了$|不[了上出进开动到]|没[有人收见到发给说写看]|不能|不行|不对|不见|无法|失败|有问题|还没|还是没|到现在|一直|老是|总是|怎样才|想.{0,8}[退换改取开查补订买]|要.{0,4}[退换改取开查补]"
    r"|申请|取消|修改|尽快|催|赶紧|快点|急"
)
#: Words said to a company rather than to another member.
ADDRESSING = r"你们|客服|请问|麻烦|帮我|帮忙|^亲"


@dataclass(frozen=True, slots=True)
class Recognition:
    """``confidence`` 0..1 is the share of such lines that are right; ``why`` is one line for operators."""

    intent: str
    topic: str | None
    confidence: float
    why: str


@dataclass(frozen=True, slots=True)
class _Needle:
    """One phrase, pattern or exclude, and the rule that wants it; ``length`` in characters, of a phrase only."""

    rule: Rule
    source: str
    length: int = 0
    excludes: bool = False


@dataclass(slots=True)
class Candidate:
    """What speaks for one topic, or for one intent without a topic."""

    topic: str | None
    intents: dict[str, float] = field(default_factory=dict)
    weights: list[float] = field(default_factory=list)
    explained: int = 0
    evidence: float = 0.0
    score: float = 0.0
    found: list[str] = field(default_factory=list)
    rules: set[str] = field(default_factory=set)

    @property
    def intent(self) -> str:
        return max(self.intents, key=lambda key: self.intents[key])

    @property
    def rank(self) -> int:
        """A call for help that names its topic is as loud as any service line."""
        if self.intent == "help" and self.topic:
            return RANK["service"]
        return RANK.get(self.intent, RANK_OF_OTHERS)

    def sum_up(self) -> None:
        """The strongest rule counts whole, each further one by half of the one before; what speaks against, whole."""
        for_it = sorted([weight for weight in self.weights if weight > 0], reverse=True)
        against = sum([weight for weight in self.weights if weight < 0])
        self.evidence = against + sum([weight * FURTHER_RULE**place for place, weight in enumerate(for_it)])

    def add(self, rule: Rule, needles: list[_Needle]) -> None:
        self.rules.add(rule.slug)
        weight = rule.weight * (1 + REPEAT_BONUS * (min(len(needles), 3) - 1))
        self.weights.append(weight)
        self.intents[rule.intent] = self.intents.get(rule.intent, 0.0) + weight
        # Only rules that settle a line explain it: a hint's long phrase is still a hint.
        if rule.weight >= EXPLAINS:
            self.explained = max(self.explained, *(needle.length for needle in needles))
        self.found.append(f"{'、'.join(n.source for n in needles)} ({rule.slug} {rule.weight:g})")

    def __str__(self) -> str:
        return f"{self.topic or self.intent} {self.score:.2f}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the rules found in a line: ``rules`` by slug, what they speak for, and what the line's own form says.

    ``against`` names the topics (or intents without one) against which more speaks than for them.
    """

    line: str
    asked: bool
    addressed: bool
    needed: bool
    rules: frozenset[str]
    candidates: list[Candidate]
    against: frozenset[str]


class Recogniser:
    """Searches lines by a fixed set of rules; build a new one when the rules change."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        active = [rule for rule in rules if rule.active]
        self._phrases = [_Needle(rule, phrase, len(phrase)) for rule in active for phrase in rule.phrases]
        self._phrases += [_Needle(rule, phrase, excludes=True) for rule in active for phrase in rule.excludes]
        self._patterns = [_Needle(rule, pattern) for rule in active for pattern in rule.patterns]
        self._phrase_set = PhraseSet(needle.source for needle in self._phrases)
        self._pattern_set = PatternSet([*(needle.source for needle in self._patterns), ASKING, ADDRESSING, NEEDING])

    def recognise(self, text: str) -> Recognition:
        """Tell intent, topic, confidence and why; any text is fine, an empty one is unclear."""
        return decide(self.examine(text))

    def examine(self, text: str) -> Evidence:
        """Tell what the rules find in a line, without a verdict."""
        line = normalise(text)
        patterns = self._pattern_set.search(line)
        asked, addressed, needed = (len(self._patterns) + place in patterns for place in range(3))
        needles = [self._phrases[number] for number in self._phrase_set.search(line)]
        needles += [self._patterns[number] for number in patterns if number < len(self._patterns)]
        by_rule = _by_rule(needles)
        gathered = _gather(by_rule)
        candidates = [candidate for candidate in gathered.values() if candidate.evidence > 0]
        against = frozenset(key for key, candidate in gathered.items() if candidate.evidence < 0)
        _score(candidates, demand=_demand(len(line), asked=asked, addressed=addressed, needed=needed), asked=asked)
        return Evidence(line, asked, addressed, needed, frozenset(by_rule), candidates, against)


def _by_rule(needles: Sequence[_Needle]) -> dict[str, list[_Needle]]:
    """Group what was found by rule; a rule with an exclude in the line says nothing."""
    excluded = {needle.rule.slug for needle in needles if needle.excludes}
    by_rule: dict[str, list[_Needle]] = {}
    for needle in needles:
        if needle.rule.slug not in excluded:
            by_rule.setdefault(needle.rule.slug, []).append(needle)
    return by_rule


def _gather(by_rule: dict[str, list[_Needle]]) -> dict[str, Candidate]:
    """Add up what was found, rule by rule, under topics and intents without one."""
    candidates: dict[str, Candidate] = {}
    for found in by_rule.values():
        rule = found[0].rule
        key = rule.topic or rule.intent
        if key not in candidates:
            candidates[key] = Candidate(rule.topic)
        candidates[key].add(rule, found)
    for candidate in candidates.values():
        candidate.sum_up()
    return candidates


def _demand(length: int, *, asked: bool, addressed: bool, needed: bool) -> float:
    """How much a line's own form says that something is wanted."""
    if asked:
        return ADDRESSING_BONUS if addressed else ASKING_BONUS
    return (NEEDING_BONUS if needed else 1.0) * min(1.0, TALE / max(length, 1))


def _score(candidates: Iterable[Candidate], *, demand: float, asked: bool) -> None:
    talk = max((_saturate(c.evidence) for c in candidates if c.intent == "chat"), default=0.0)
    factor = demand * (1 - TALK_DAMPING[asked] * talk)
    for candidate in candidates:
        wants_something = candidate.rank in (RANK["service"], RANK["help"]) and candidate.intent != "welcome"
        candidate.score = _saturate(candidate.evidence * (factor if wants_something else 1.0))


def _saturate(evidence: float) -> float:
    return 1 - math.exp(-STEEPNESS * max(evidence, 0.0))


def decide(evidence: Evidence) -> Recognition:
    """Return the rules' own verdict on what they found."""
    ranked = sorted(evidence.candidates, key=lambda c: (c.score >= ENOUGH, c.rank, c.evidence), reverse=True)
    if not ranked:
        return Recognition(UNCLEAR, None, 0.0, "没有命中任何规则")
    best, others = ranked[0], ranked[1:]
    rivals = [c for c in others if c.rank == best.rank and best.evidence - c.evidence < TIE]
    if rivals:
        best = max([best, *rivals], key=lambda c: c.explained)
    if best.score < ENOUGH:
        return Recognition(UNCLEAR, None, _confidence(best.score), f"依据不足：{_explain(best, others)}")
    if any(c.explained == best.explained for c in rivals if c is not best):
        return Recognition(UNCLEAR, None, _confidence(best.score) / 2, f"难分高下：{_explain(best, rivals)}")
    return Recognition(
        best.intent, best.topic, _confidence(best.score), _explain(best, [c for c in ranked if c is not best])
    )


def _explain(best: Candidate, others: list[Candidate]) -> str:
    rest = "、".join(str(candidate) for candidate in others[:2])
    return f"{best} ← {'；'.join(best.found[:4])}" + (f" | 其次 {rest}" if rest else "")


def _confidence(score: float) -> float:
    for (low, at_low), (high, at_high) in itertools.pairwise(CALIBRATION):
        if score <= high:
            return round(at_low + (at_high - at_low) * (score - low) / (high - low), 3)
    return CALIBRATION[-1][1]
