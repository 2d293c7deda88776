"""Costs: exact, rounded once, and never 0 where they are unknown."""

from __future__ import annotations

from decimal import Decimal

import pytest

from personas.budgets.prices import Price, shown, tokens_at_most
from personas.models import AIModel
from personas.providers import ChatMessage, ChatRequest, Image


@pytest.mark.parametrize(
    ("prompt", "completion", "cost"),
    [
        (1_000_000, 0, "2"),
        (0, 1_000_000, "10"),
        (1234, 567, "0.008138"),
        (0, 0, "0"),
        (None, 5, None),
        (5, None, None),
        (10**12, 10**12, None),
    ],
)
def test_tokens_times_price(prompt: int | None, completion: int | None, cost: str | None) -> None:
    expected = None if cost is None else Decimal(cost)
    assert Price(Decimal(2), Decimal(10)).cost(prompt, completion) == expected


@pytest.mark.parametrize(("price", "cost", "at_most"), [("0.5", "0.000001", "0.000001"), ("0.4", "0", "0.000001")])
def test_a_cost_is_rounded_and_an_estimate_rounded_up(price: str, cost: str, at_most: str) -> None:
    one = Price(Decimal(price), Decimal(0))
    assert (one.cost(1, 0), one.at_most(1, 0)) == (Decimal(cost), Decimal(at_most))


@pytest.mark.parametrize("text", ["hello", "如何退款？", "🎁" * 50, "a" * 5000, ""])
def test_no_tokenizer_makes_more_tokens_than_there_are_bytes(text: str) -> None:
    one = ChatRequest((ChatMessage("user", text),), 0.7, 100, timeout=8.0)
    assert tokens_at_most(one) > len(text.encode())


def test_pictures_and_schemas_count_too() -> None:
    plain = ChatRequest((ChatMessage("user", "看图"),), 0.7, 100, timeout=8.0)
    image = Image("image/png", "aGk=")
    seen = ChatRequest((ChatMessage("user", "看图", (image, image)),), 0.7, 100, timeout=8.0, schema={"type": "object"})
    assert tokens_at_most(seen) >= tokens_at_most(plain) + 2 * 1600 + len('{"type": "object"}')


@pytest.mark.parametrize(
    ("input_price", "output_price", "known"),
    [(None, None, False), (None, 1, False), (1, None, False), (0, 0, True), (1, 2, True)],
)
def test_half_a_price_is_none(input_price: int | None, output_price: int | None, known: bool) -> None:
    assert (AIModel(input_price=input_price, output_price=output_price).price is not None) == known


@pytest.mark.parametrize(
    ("amount", "text"),
    [(None, "—"), ("0", "0.00"), ("0.0007", "0.000700"), ("0.5", "0.5000"), ("1", "1.00"), ("12345.678", "12345.68")],
)
def test_unknown_is_a_dash_and_small_amounts_are_seen(amount: str | None, text: str) -> None:
    expected = text if amount is None else f"{text} CNY"
    assert shown(None if amount is None else Decimal(amount)) == expected
