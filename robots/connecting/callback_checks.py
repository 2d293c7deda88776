"""What the platform posts, and where to."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from robots.client import EVERYTHING
from robots.connecting.addresses import BOUND, MESSAGE, Verdict, judge, shown
from robots.connecting.checks import Check, CheckState, Text, unanswered, unanswered_further
from robots.connecting.facts import Facts
from robots.connecting.public import PublicAddress, Reach

__all__ = ["binding", "body_format", "message_url", "open_callback", "public_address", "reply_all"]

FORM = 1
NOTHING = -1

#: What is lost while a kind of callback does not come here.
_LOST: dict[int, tuple[Text, Text]] = {
    1: (_("Results"), _("Without it we learn only by asking, and late, whether an answer was really sent.")),
    0: (_("Group QR codes"), _("Without it the QR codes of new groups are not kept. Nothing else needs it.")),
    5: (_("Robot online"), _("Without it we notice only by asking that the phone is back.")),
    6: (_("Robot offline"), _("Without it we notice only by asking that the phone has gone.")),
}
_VERDICTS: dict[Verdict, Text] = {
    Verdict.MISSING: _("No address is set."),
    Verdict.ELSEWHERE: _("It goes to %(url)s, which is not this system."),
    Verdict.DEAD_KEY: _("It comes here with a key that does not work any more (%(url)s)."),
    Verdict.OLD_KEY: _("It comes here with the previous key, which works 24 hours more."),
    Verdict.OURS: _("It comes here (%(url)s)."),
}


def public_address(facts: Facts) -> Check:
    title, public = _("Our public address"), facts.public
    if public is None:
        return Check("public", title, CheckState.CHECKING)
    if public.reach == Reach.UNRESOLVED:
        seen = _("The name in %(url)s cannot be resolved.") % {"url": public.url}
        return Check("public", title, CheckState.PROBLEM, seen, *_unreachable())
    if public.reach != Reach.PUBLIC and not facts.is_local:
        seen = _("%(url)s leads to this machine or into a private network.") % {"url": public.url}
        return Check("public", title, CheckState.PROBLEM, seen, *_unreachable())
    if public.problem:
        values = {"url": public.url, "why": public.problem}
        seen = _("We do not reach ourselves through %(url)s (%(why)s).") % values
        return Check("public", title, CheckState.PROBLEM, seen, *_unreachable())
    return _reached(facts, public)


def _reached(facts: Facts, public: PublicAddress) -> Check:
    title, values = _("Our public address"), {"url": public.url, "ms": public.ms}
    seen = _("%(url)s answers in %(ms)d ms.") % values
    if public.ms > 1000:
        meaning = _("The platform waits 3 seconds at most: a slow way costs lines.")
        return Check("public", title, CheckState.WARNING, seen, meaning)
    if not public.is_secure and not facts.is_local:
        meaning = _("It is not encrypted: customers' words and the key of the address travel in the open.")
        hands = _("Put a proxy that terminates TLS before it, and set PUBLIC_URL to the https address.")
        return Check("public", title, CheckState.WARNING, seen, meaning, hands)
    return Check("public", title, CheckState.OK, seen)


def _unreachable() -> tuple[Text, Text]:
    meaning = _("The platform posts from the internet: it must reach this address, or no line arrives.")
    hands = _(
        "Give this machine a domain with a TLS proxy, or a tunnel (frp on a server of yours, ngrok, cpolar) to its "
        "port; set PUBLIC_URL to that https address, restart, and connect the robot again."
    )
    return meaning, hands


def open_callback(facts: Facts) -> Check:
    title, info = _("Message callback"), facts.answers.info
    if info is None:
        return unanswered_further("open_callback", title, facts.answers.of("info"))
    if info.open_callback is None:
        return Check("open_callback", title, CheckState.UNKNOWN, _("The platform does not say."))
    if info.open_callback:
        return Check("open_callback", title, CheckState.OK, _("It is switched on."))
    meaning = _("The platform keeps every line to itself: nothing arrives here.")
    return Check(
        "open_callback", title, CheckState.PROBLEM, _("It is switched off."), meaning, fixes=("open_callback",)
    )


def message_url(facts: Facts) -> Check:
    meaning = _("New lines are posted to this address only. Without ours the robot stays dumb.")
    return _bound(facts, "message_url", _("Address for new lines"), MESSAGE, "message", meaning, "message_url")


def reply_all(facts: Facts) -> Check:
    title, info = _("Which group lines are posted"), facts.answers.info
    if info is None:
        return unanswered_further("reply_all", title, facts.answers.of("info"))
    if info.reply_all is None:
        return Check("reply_all", title, CheckState.UNKNOWN, _("The platform does not say."))
    if info.reply_all == EVERYTHING:
        return Check("reply_all", title, CheckState.OK, _("All of them (replyAll = 1)."))
    if info.reply_all == NOTHING:
        seen, meaning = _("None at all (replyAll = -1)."), _("The robot only reads; nothing is posted.")
    else:
        seen = _("Only those that @ the robot (replyAll = 0).")
        meaning = _("Questions without an @, which is how most customers ask, never arrive.")
    return Check("reply_all", title, CheckState.PROBLEM, seen, meaning, fixes=("hear_everything",))


def binding(facts: Facts, kind: int) -> Check:
    title, lost = _LOST[kind]
    return _bound(facts, f"bind_{kind}", title, kind, BOUND[kind], lost, f"bind_{kind}")


def _bound(facts: Facts, key: str, title: Text, kind: int, event: str, lost: Text, fix: str) -> Check:
    bindings = facts.answers.bindings
    if bindings is None:
        return unanswered(key, title, facts.answers.of("bindings"))
    url = next((row.url for row in bindings if row.kind == kind), "")
    verdict = judge(facts.robot, event, url)
    seen = str(_VERDICTS[verdict]) % {"url": shown(url)}
    if verdict == Verdict.OURS:
        return Check(key, title, CheckState.OK, seen)
    state = CheckState.WARNING if verdict == Verdict.OLD_KEY or kind == 0 else CheckState.PROBLEM
    return Check(key, title, state, seen, lost, fixes=(fix,))


def body_format(facts: Facts) -> Check:
    title, info = _("Form of the callbacks"), facts.answers.info
    if info is None:
        return unanswered_further("body_format", title, facts.answers.of("info"))
    if info.encrypt_type:
        meaning = _("Whether it reaches callbacks is documented nowhere; this system reads plain bodies only.")
        hands = _("Switch the encryption off in the WorkTool console of this robot.")
        return Check("body_format", title, CheckState.WARNING, _("Encryption is on."), meaning, hands)
    seen = _("Form fields, unencrypted.") if info.request_type == FORM else _("JSON, unencrypted.")
    return Check("body_format", title, CheckState.OK, seen, _("Both forms are understood."))
