"""The figures of a failure run: what it prints for people, and its last line for scripts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tests.chaos.judge import Disturbance, Finding, Verdict
from tests.chaos.kills import Struck
from tests.chaos.plan import EVERYTHING

__all__ = ["Outcome", "last_line"]

VERSION = 1
RECOVERY_S = 15.0
ANSWERED_SHARE = 0.99
MAX_SHOWN = 40


@dataclass(frozen=True)
class Outcome:
    """What one seed has shown."""

    seed: int
    verdict: Verdict
    struck: Sequence[Struck]
    inconsistencies: int

    @property
    def recovery_max_s(self) -> float:
        return max((one.recovery_s for one in self.struck), default=0.0)

    def findings(self) -> list[str]:
        """Return what is ours to mend, a sentence each; empty when all is well."""
        verdict = self.verdict
        counts = {
            "lost": len(verdict.lost),
            "doubled": len(verdict.doubled),
            "disordered": len(verdict.disordered),
            "answers without a known marker": len(verdict.stray),
            "inconsistencies": self.inconsistencies,
        }
        found = [f"{count} {name}" for name, count in counts.items() if count]
        if verdict.answered < ANSWERED_SHARE * verdict.said:
            found.append(f"only {verdict.answered} of {verdict.said} answered")
        late = [one for one in self.struck if one.recovery_s > RECOVERY_S]
        return found + [f"{one.recovery_s:.1f} s after {one.disturbance}" for one in late]

    def tell(self, say: Callable[[str], None], diagnosis: Callable[[str], str]) -> None:
        """Print each line that has no answer or a wrong one, with the kill nearby. ``diagnosis`` tells of a marker."""
        kills = [one.disturbance for one in self.struck]
        groups = {"open": self.verdict.open, "unknown": self.verdict.unknown, "LOST": self.verdict.lost}
        groups |= {"DOUBLED": self.verdict.doubled, "DISORDERED": self.verdict.disordered}
        for name, findings in groups.items():
            for finding in findings[:MAX_SHOWN]:
                say(f"{name}: {_described(finding, kills)}{diagnosis(finding.line.marker)}")
            if len(findings) > MAX_SHOWN:
                say(f"{name}: and {len(findings) - MAX_SHOWN} more")
        for send in self.verdict.stray[:MAX_SHOWN]:
            say(f"STRAY: command {send.seq} in {send.chat} at {_clock(send.at)}")
        for sentence in self.findings():
            say(f"FINDING: {sentence}")


def _described(finding: Finding, kills: Iterable[Disturbance]) -> str:
    line = finding.line
    near = min(kills, key=lambda kill: abs(kill.at - line.at), default=None)
    drawn = f" faults {', '.join(sorted(line.faults))}" if line.faults else ""
    place = f"{line.marker} {line.sender} in {line.chat} at {_clock(line.at)}"
    return f"{place}{'' if line.delivered else ' (not delivered)'}{drawn}: {finding.why}; nearest kill: {near}"


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment).strftime("%H:%M:%S.%f")[:-3]


def last_line(outcomes: Sequence[Outcome]) -> str:
    """Return the JSON object that scripts read (``interface.md``), all seeds together."""
    kills = Counter(one.kill.role for outcome in outcomes for one in outcome.struck)
    between = sum(one.between_row_and_result for outcome in outcomes for one in outcome.struck)
    verdicts = [outcome.verdict for outcome in outcomes]
    document = {
        "version": VERSION,
        "seeds": [outcome.seed for outcome in outcomes],
        "said": sum(verdict.said for verdict in verdicts),
        "answered": sum(verdict.answered for verdict in verdicts),
        "open": sum(len(verdict.open) for verdict in verdicts),
        "unknown": sum(len(verdict.unknown) for verdict in verdicts),
        "lost": sum(len(verdict.lost) for verdict in verdicts),
        "doubled": sum(len(verdict.doubled) for verdict in verdicts),
        "disordered": sum(len(verdict.disordered) for verdict in verdicts),
        "kills": {role: count for role, count in kills.items() if role != EVERYTHING} | _great(kills),
        "kills_between_row_and_result": between,
        "recovery_max_s": round(max((outcome.recovery_max_s for outcome in outcomes), default=0.0), 1),
        "inconsistencies": sum(outcome.inconsistencies for outcome in outcomes),
        "ok": not any(outcome.findings() for outcome in outcomes),
    }
    return json.dumps(document, separators=(",", ":"))


def _great(kills: Counter[str]) -> dict[str, int]:
    return {EVERYTHING: kills[EVERYTHING]} if kills[EVERYTHING] else {}
