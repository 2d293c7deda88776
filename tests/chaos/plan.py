"""What a failure run says and what it hits, drawn from one seed. Pure: the same seed gives the same plan."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["EVERYTHING", "ROLES", "Kill", "Line", "Plan", "draw", "undisturbed"]

ROLES = ("web", "consumer", "worker", "beat", "relay", "redis", "postgres")
#: Of these there are several.
SEVERAL = frozenset({"worker", "redis"})
#: All processes at once, dead for :data:`DOWN_S`.
EVERYTHING = "everything"
DOWN_S = 30.0
PER_ROLE = 3
#: A run that is large enough for three kills per role is this large.
FULL = 20
STOP_S = (2.0, 12.0)
PAUSE_S = (1.0, 4.0)

GROUPS, PEOPLE_PER_GROUP, PRIVATE = 24, 3, 16
QUESTIONS = ("如何退款？", "退款要多久到账？", "快递到哪了？", "什么时候发货？", "怎么改密码？", "会员积分怎么查？")
#: Lines between two bursts, and lines of a burst: said as fast as the platform takes them.
BETWEEN_BURSTS, BURST = (40, 160), (10, 40)
FIRST_MARKER = 1_000_000

#: Fault, share of the lines that it hits, seconds. Lines whose callback or whose call is lost cost an answer or a
#: room's two minutes: there are few of them, whatever the number of lines.
COMMON: tuple[tuple[str, float, float | None], ...] = (
    ("callback_duplicate", 0.02, None),
    ("callback_delay", 0.005, 4.0),
    ("result_loss", 0.005, None),
    ("result_duplicate", 0.01, None),
    ("result_late", 0.005, 10.0),
    ("result_reorder", 0.01, 3.0),
)
RARE: tuple[tuple[str, float | None], ...] = (
    ("callback_loss", None),
    ("callback_loss", None),
    ("timeout_after", None),
    ("timeout_after", None),
    ("timeout_before", None),
    ("timeout_before", None),
    ("http_status", None),
    ("http_status", None),
    ("execute_twice", None),
)
MAX_FAULTS = 190
#: So long the platform holds a call whose sender is killed meanwhile: shorter than a call's time limit.
HOLD_S = 6.0
#: Whose death can make an outcome uncertain.
AIMED_ROLES = ("worker", "worker", "worker", "postgres", "redis", "web", "consumer")


@dataclass(frozen=True, slots=True)
class Line:
    """``weight`` stretches the pause before it: 0 within a burst."""

    marker: str
    room: str | None
    sender: str
    text: str
    at_me: bool
    weight: float = 1.0
    faults: tuple[tuple[str, float | None], ...] = ()

    @property
    def chat(self) -> str:
        return self.room or self.sender

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(kind for kind, _seconds in self.faults)


@dataclass(frozen=True, slots=True)
class Kill:
    """``stop_s`` 0: SIGKILL, else SIGSTOP for so long. ``aimed``: when the platform holds the call for this line.

    ``is_one``: one process of the role only, not all.
    """

    role: str
    stop_s: float
    pause_s: float
    is_one: bool = False
    aimed: Line | None = None

    @property
    def how(self) -> str:
        done = f"stopped for {self.stop_s:.1f} s" if self.stop_s else "killed"
        return f"{done} (one of them)" if self.is_one else done


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    lines: tuple[Line, ...]
    kills: tuple[Kill, ...]

    def faults(self) -> list[dict[str, Any]]:
        """Return all faults as the simulator takes them, each bound to its line."""
        aimed = [kill.aimed for kill in self.kills if kill.aimed]
        return [
            {"kind": kind, "match": line.marker, "count": 1, **({} if seconds is None else {"seconds": seconds})}
            for line in (*self.lines, *aimed)
            for kind, seconds in line.faults
        ]


def draw(seed: int, lines: int, kills: int) -> Plan:
    """Draw a plan: ``lines`` lines, aimed ones included, and at least ``kills`` kills, the great one included."""
    dice = random.Random(seed)
    drawn = _kills(dice, kills)
    aimed = sum(1 for kill in drawn if kill.aimed)
    return Plan(seed, tuple(_lines(dice, max(lines - aimed, 0))), tuple(drawn))


def undisturbed(seed: int, lines: int) -> tuple[Line, ...]:
    """Draw lines of the same people that no fault hits, to be said at an even pace."""
    dice, people = random.Random(seed), _people()
    return tuple(_line(dice, number, dice.choice(people), 1.0, ()) for number in range(lines))


# -- lines -------------------------------------------------------------------------------------------------------------


def _lines(dice: random.Random, count: int) -> list[Line]:
    people = _people()
    faults = _faults(dice, count)
    return [
        _line(dice, number, dice.choice(people), weight, faults.get(number, ()))
        for number, weight in enumerate(_weights(dice, count))
    ]


def _people() -> list[tuple[str | None, str]]:
    groups: list[tuple[str | None, str]] = [
        (f"混沌群{group:02}", f"群友{group:02}{person}")
        for group in range(GROUPS)
        for person in range(PEOPLE_PER_GROUP)
    ]
    return groups + [(None, f"私聊客户{person:02}") for person in range(PRIVATE)]


def _line(
    dice: random.Random,
    number: int,
    person: tuple[str | None, str],
    weight: float,
    faults: tuple[tuple[str, float | None], ...],
) -> Line:
    room, sender = person
    marker = f"#m{FIRST_MARKER + number}"
    at_me = room is not None and dice.random() < 0.5
    return Line(marker, room, sender, f"{dice.choice(QUESTIONS)} {marker}", at_me, weight, faults)


def _weights(dice: random.Random, count: int) -> list[float]:
    weights: list[float] = []
    while len(weights) < count:
        weights += [dice.uniform(0.5, 1.5) for _ in range(dice.randint(*BETWEEN_BURSTS))]
        weights += [0.0] * dice.randint(*BURST)
    return weights[:count]


def _faults(dice: random.Random, count: int) -> dict[int, tuple[tuple[str, float | None], ...]]:
    """Give each faulty line one fault, so that what happened to it has one cause."""
    wanted = list(RARE[: max(1, count // 100)])
    for kind, share, seconds in COMMON:
        wanted += [(kind, seconds)] * max(1, round(share * count))
    wanted = wanted[: min(MAX_FAULTS, count)]
    hit = dice.sample(range(count), len(wanted))
    return {number: (fault,) for number, fault in zip(hit, wanted, strict=True)}


# -- kills -------------------------------------------------------------------------------------------------------------


def _kills(dice: random.Random, count: int) -> list[Kill]:
    """Draw the order of roles; each role is killed and stopped; everything goes down once, not as the last."""
    wanted = max(count - 1, len(ROLES) * PER_ROLE) if count >= FULL else max(count - 1, 0)
    deck: list[str] = []
    while len(deck) < wanted:
        deck += dice.sample(ROLES, len(ROLES))
    kills = _kinds(dice, deck[:wanted])
    kills.insert(dice.randint(len(kills) // 3, max(len(kills) // 3, len(kills) - 3)), _great(dice))
    return kills


def _great(dice: random.Random) -> Kill:
    return Kill(EVERYTHING, 0.0, dice.uniform(*PAUSE_S))


def _kinds(dice: random.Random, roles: Sequence[str]) -> list[Kill]:
    aims = list(AIMED_ROLES)
    hard = {role: dice.random() < 0.5 for role in ROLES}
    kills = []
    for number, role in enumerate(roles):
        hard[role] = not hard[role]
        aimed = _aimed_line(dice, number) if role in aims else None
        if aimed:
            aims.remove(role)
        stop_s = 0.0 if hard[role] else dice.uniform(*STOP_S)
        is_one = role in SEVERAL and not aimed and dice.random() < 0.5
        kills.append(Kill(role, stop_s, dice.uniform(*PAUSE_S), is_one, aimed))
    return kills


def _aimed_line(dice: random.Random, number: int) -> Line:
    """A line in a room of its own: what becomes of it must not keep other rooms waiting."""
    marker = f"#m{FIRST_MARKER * 9 + number}"
    kind = dice.choice(("hold_before_accept", "hold_after_accept"))
    return Line(marker, f"瞄准群{number:02}", "被瞄准的人", f"如何退款？ {marker}", True, 0.0, ((kind, HOLD_S),))
