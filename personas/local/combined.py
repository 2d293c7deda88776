"""The local recogniser: rules have the last word where they are sure, the small model answers what they do not know.

1. A rule that an operator wrote or changed wins when it has enough evidence; so does any rule that finds a danger.
2. Else the model weighs everything together: the line's n-grams, its shape, and what the seeded rules found, for it
   learned how far each of them can be trusted. What a rule speaks against is not answered.
3. A danger has a threshold of its own: one missed is worse than one too many.
4. Confidence is the share of such lines that were right among lines that the model had not seen; below
   ``threshold`` the answer is an honest ``unclear``.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from personas.local.model import DANGER, IntentModel, Judgement
from personas.local.recogniser import UNCLEAR, Evidence, Recogniser, Recognition, decide
from personas.local.rules import Rule, fingerprint
from personas.local.tokens import grams, marks

__all__ = [
    "ADDRESSED",
    "RISK",
    "SHADED",
    "CombinedRecogniser",
    "Guess",
    "conclude",
    "danger",
    "guess",
    "outcome",
    "signals",
]

RISK = "risk"

#: Intents whose topics are only shades: the robot says much the same, or nothing.
SHADED = frozenset({"chat"})

#: By how much earlier a line said to the company alarms: ordinary group talk seldom addresses it, threats mostly do.
ADDRESSED = 0.2

#: Log odds beyond which more certainty says nothing.
_LIMIT = 6.0


@dataclass(frozen=True, slots=True)
class Guess:
    """The model's best intent and topic before anybody asks how sure it is."""

    intent: str
    topic: str | None
    judgement: Judgement


class CombinedRecogniser:
    """Rules and model together; ``labels`` are the intents and topics in use, None means all.

    Rules that the model did not learn with are the operators' own. Without a model the rules decide alone.
    """

    def __init__(self, rules: Sequence[Rule], model: IntentModel | None, labels: Collection[str] | None = None) -> None:
        self._rules = Recogniser(rules)
        self._model = model
        self._labels = None if labels is None else frozenset(labels) | {UNCLEAR}
        learned = frozenset(model.header["rules"]) if model else frozenset()
        self._own = frozenset(rule.slug for rule in rules if fingerprint(rule) not in learned)

    def recognise(self, text: str) -> Recognition:
        """Tell intent, topic, confidence and why; any text is fine, an empty one is unclear."""
        evidence = self._rules.examine(text)
        verdict = decide(evidence)
        if self._model is None or not evidence.line:
            return verdict
        found = conclude(self._model, text, evidence, verdict, self._own)
        if self._labels is not None and not {found.intent, found.topic or UNCLEAR} <= self._labels:
            return Recognition(UNCLEAR, None, found.confidence, f"已停用：{found.why}")
        return found


def conclude(
    model: IntentModel, text: str, evidence: Evidence, verdict: Recognition, own: Collection[str] = ()
) -> Recognition:
    """Weigh what the rules found with the model; ``own`` names the rules (by slug) that are the operators' own."""
    if _settles(verdict, evidence, own):
        return replace(verdict, why=f"规则：{verdict.why}")
    return _answer(model, guess(model, text, evidence, verdict), evidence, verdict)


def _settles(verdict: Recognition, evidence: Evidence, own: Collection[str]) -> bool:
    if verdict.intent in (UNCLEAR, RISK):
        return verdict.intent == RISK
    chosen = [c for c in evidence.candidates if (c.intent, c.topic) == (verdict.intent, verdict.topic)]
    return any(not candidate.rules.isdisjoint(own) for candidate in chosen)


def guess(model: IntentModel, text: str, evidence: Evidence, verdict: Recognition) -> Guess:
    """Return the likeliest intent (a danger from its own threshold on) and its likeliest topic."""
    judgement = model.judge(grams(evidence.line), marks(text, evidence, verdict))
    intents = judgement.intents
    intent = max(intents, key=lambda key: intents[key])
    if danger(judgement, evidence) >= model.header["risk_threshold"]:
        intent = RISK
    topic = max(model.topics[intent], key=lambda key: judgement.labels[intent, key], default=None)
    return Guess(intent, topic, judgement)


def danger(judgement: Judgement, evidence: Evidence) -> float:
    """Return by how much a line is inside the border of danger, which is wider for what is said to the company."""
    return judgement.danger + ADDRESSED * evidence.addressed


def signals(model: IntentModel, found: Guess, verdict: Recognition) -> list[float]:
    """Return what tells how sure a guess is: margins, odds of intent and topic, and whether the rules agree."""
    judgement = found.judgement
    second, best = sorted(judgement.margins.values())[-2:]
    rivals = [] if found.intent in SHADED else model.topics[found.intent]
    topics = {key: judgement.labels[found.intent, key] for key in rivals}
    agrees = (verdict.intent, verdict.topic) == (found.intent, found.topic)
    return [
        best,
        best - second,
        _certainty(judgement.intents, found.intent),
        _certainty(topics, found.topic) if found.topic and len(rivals) > 1 else _LIMIT,
        verdict.confidence if agrees else 0.0,
        verdict.confidence if not agrees and verdict.intent != UNCLEAR else 0.0,
    ]


def outcome(found: Guess) -> str:
    """Name what a guess would answer, as far as it makes a difference to people."""
    return f"{found.intent}/{found.topic}" if found.topic and found.intent not in SHADED else found.intent


def _certainty(shares: Mapping[str, float], chosen: str) -> float:
    """Log odds of the chosen one among all."""
    total = sum(shares.values()) or 1.0
    return _log_ratio(shares[chosen] / total, 1 - shares[chosen] / total)


def _log_ratio(one: float, other: float) -> float:
    return max(-_LIMIT, min(_LIMIT, math.log((one + 1e-6) / (other + 1e-6))))


def _answer(model: IntentModel, found: Guess, evidence: Evidence, verdict: Recognition) -> Recognition:
    calibration = model.header["calibration"]
    weighed = zip(calibration["weights"], signals(model, found, verdict), strict=True)
    odds = calibration["outcomes"].get(outcome(found), 0.0) + sum(weight * signal for weight, signal in weighed)
    confidence = round(1 / (1 + math.exp(-odds)), 3)
    why = _why(model, found, verdict)
    if found.intent == UNCLEAR:
        return Recognition(UNCLEAR, None, confidence, why)
    if evidence.against & {found.topic, found.intent}:
        return Recognition(UNCLEAR, None, confidence, f"规则反对：{why}")
    threshold = model.header["threshold"]
    if found.intent == RISK:
        # its own threshold decides, so that neither a missed danger nor a false alarm hangs on the other lines
        alarming = danger(found.judgement, evidence) >= model.header["risk_threshold"]
        confidence = max(confidence, threshold) if alarming else min(confidence, threshold - 0.001)
    if confidence < threshold:
        return Recognition(UNCLEAR, None, confidence, f"把握不足：{why}")
    return Recognition(found.intent, found.topic, confidence, why)


def _why(model: IntentModel, found: Guess, verdict: Recognition) -> str:
    label = found.topic or found.intent
    shares = found.judgement.intents
    border = DANGER if found.intent == RISK else (found.intent, found.topic)
    said = "、".join(model.reasons(found.judgement, border)) or "整句"
    ruled = f" | 规则 {verdict.why}" if verdict.intent != UNCLEAR else ""
    return f"模型 {label} {shares[found.intent]:.2f} ← {said}{ruled}"
