"""How values are shown: durations, sizes, money, and JSON without base64."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.conf import LazySettings

from conversations.money.words import price_words
from echoadmin.pages import without_samples
from echoadmin.shown import after, lasting, money, size, state


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, ""), (0, "0 s"), (0.44, "0.4 s"), (59, "59 s"), (125, "2:05"), (3725.2, "1:02:05")],
)
def test_durations_are_in_human_units(seconds: float | None, words: str) -> None:
    assert lasting(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-0.01, "+0.0 s"), (0.0, "+0.0 s"), (12.44, "+12.4 s"), (59.94, "+59.9 s"), (59.96, "+1:00"), (3725, "+1:02:05")],
)
def test_places_in_time_line_up(seconds: float, words: str) -> None:
    assert after(seconds) == words


@pytest.mark.parametrize(("count", "words"), [(None, ""), (12, "12 B"), (2048, "2.0 KB"), (3 * 1024 * 1024, "3.0 MB")])
def test_sizes_are_in_human_units(count: int | None, words: str) -> None:
    assert size(count) == words


def test_money_is_told_only_when_there_is_a_price(settings: LazySettings) -> None:
    settings.PRICE_PER_MINUTE, settings.CURRENCY = None, "USD"
    assert money(None) == ""
    assert "PRICE_PER_MINUTE" in price_words(60)
    settings.PRICE_PER_MINUTE = 0.37
    assert money(Decimal("4.6")) == "≈ 4.60 USD"
    assert price_words(60) == "About 0.37 USD a minute, at most 22.20 USD in 60 min."


def test_a_state_from_upstream_can_carry_no_html() -> None:
    assert "<b>" not in state("<b>active</b>")


def test_long_base64_is_told_and_words_are_kept() -> None:
    told = without_samples({"audio": "QUJD" * 1000, "list": ["x" * 500], "text": "word " * 500, "id": "c123", "n": 1})
    assert told["audio"] == "<4,000 characters of base64, about 3,000 bytes>"
    assert told["list"][0].startswith("<500 characters")
    assert told["text"] == "word " * 500
    assert (told["id"], told["n"]) == ("c123", 1)
