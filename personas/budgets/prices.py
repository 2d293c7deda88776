"""What a call costs: tokens times price, in the one currency of the installation (``settings.COST_CURRENCY``).

Unknown is None, never 0: tokens that the vendor did not tell, a price that nobody entered. Amounts have six decimals;
discounts of vendors (for cached prompts, at night) are not known to us, so a known cost is the price without them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

from django.conf import settings

from personas.providers import ChatMessage, ChatRequest

__all__ = ["FREE", "REFUSED", "UNIT", "Price", "shown", "tokens_at_most"]

#: The smallest amount that is told apart.
UNIT = Decimal("0.000001")
#: What a call to the local model costs: nothing, and that is known.
FREE = Decimal(0)
#: Errors after which no vendor sends a bill: the request was refused, or never answered. All others may have cost.
REFUSED: frozenset[str] = frozenset({"auth", "quota", "rate_limit", "bad_request", "overloaded", "unreachable"})

#: A cost above it does not fit the column; tokens that make it are a vendor's mistake.
_MOST = Decimal(1_000_000)
_PER = Decimal(1_000_000)
#: From which amount on how many digits are shown.
_DIGITS = ((Decimal(1), Decimal("0.01")), (Decimal("0.01"), Decimal("0.0001")), (Decimal(0), UNIT))
#: Tokens by which a vendor marks where a message begins and whose it is.
_FRAME_TOKENS = 16
#: Tokens that a picture is cut into, at most, by the models that we know.
_IMAGE_TOKENS = 3_000


@dataclass(frozen=True, slots=True)
class Price:
    """Of one model, for a million tokens read (``input``) and a million written (``output``)."""

    input: Decimal
    output: Decimal

    def cost(self, prompt_tokens: int | None, completion_tokens: int | None) -> Decimal | None:
        """Return the cost, rounded half up; None where the vendor did not tell the tokens."""
        if prompt_tokens is None or completion_tokens is None:
            return None
        exact = self._exact(prompt_tokens, completion_tokens)
        return exact.quantize(UNIT, ROUND_HALF_UP) if 0 <= exact < _MOST else None

    def at_most(self, prompt_tokens: int, completion_tokens: int) -> Decimal:
        """Return what so many tokens cost, rounded up."""
        return min(self._exact(prompt_tokens, completion_tokens), _MOST - 1).quantize(UNIT, ROUND_CEILING)

    def _exact(self, prompt_tokens: int, completion_tokens: int) -> Decimal:
        return (prompt_tokens * self.input + completion_tokens * self.output) / _PER


def shown(amount: Decimal | None) -> str:
    """Return an amount as people read it, with its currency: a dash for unknown, more digits for small ones."""
    if amount is None:
        return "—"
    digits = next(digits for least, digits in _DIGITS if amount >= least) if amount else _DIGITS[0][1]
    return f"{amount.quantize(digits, ROUND_HALF_UP):f} {settings.COST_CURRENCY}"


def tokens_at_most(request: ChatRequest) -> int:
    """Return more tokens than a request can have: one for each byte, since no vendor's token is shorter than that."""
    schema = len(json.dumps(request.schema, ensure_ascii=False).encode()) if request.schema else 0
    return schema + sum(_tokens(request.messages))


def _tokens(messages: Iterable[ChatMessage]) -> Iterable[int]:
    for message in messages:
        yield _FRAME_TOKENS + len(message.content.encode()) + _IMAGE_TOKENS * len(message.images)
