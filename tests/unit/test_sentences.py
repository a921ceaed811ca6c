"""Sentences of a text that comes bit by bit, whatever the bits are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.interactions.sentences import AFTER, LONGEST, Sentences
from conversations.interactions.split import check_text
from conversations.refusals import Empty


def sentences(text: str, size: int = 3) -> list[str]:
    """What comes of `text` in pieces of `size` characters."""
    found, coming = [], Sentences()
    for start in range(0, len(text), size):
        found += coming.add(text[start : start + size])
    rest = coming.rest(whole=True)
    return [*found, rest] if rest else found


CASES = [
    ("Hello there, my dear friend. How are you doing today? Fine!", ["Hello there, my dear friend.",
     "How are you doing today?", "Fine!"]),
    ("Yes. No. I do not know that yet. Ask me later.", ["Yes. No. I do not know that yet.", "Ask me later."]),
    ("Dr. Smith met Mrs. J. R. Jones, e.g. today. Then he left the house.",
     ["Dr. Smith met Mrs. J. R. Jones, e.g. today.", "Then he left the house."]),
    ("Pi is about 3.14159, see No. 5 there. It costs 1,000.50 dollars.",
     ["Pi is about 3.14159, see No. 5 there.", "It costs 1,000.50 dollars."]),
    ("1. Put the kettle on first\n2. Then wait for the whistle\n",
     ["1. Put the kettle on first", "2. Then wait for the whistle"]),
    ("Das kostet z.B. 5 Euro bzw. mehr, Herr Dr. Maier. Danke schön dafür.",
     ["Das kostet z.B. 5 Euro bzw. mehr, Herr Dr. Maier.", "Danke schön dafür."]),
    ("今日はとても良い天気ですね。明日は雨が降るそうです。",
     ["今日はとても良い天気ですね。", "明日は雨が降るそうです。"]),
    ("「本当ですか？」と彼女は聞いた。値は３．１４だった。",
     ["「本当ですか？」", "と彼女は聞いた。", "値は３．１４だった。"]),
    ("هل أنت بخير اليوم يا صديقي؟ نعم شكرا جزيلا لك.", ["هل أنت بخير اليوم يا صديقي؟", "نعم شكرا جزيلا لك."]),
    ("यह एक बहुत अच्छा दिन है। कल फिर मिलते हैं दोस्तों।", ["यह एक बहुत अच्छा दिन है।", "कल फिर मिलते हैं दोस्तों।"]),
    ('<emotion value="happy"/>Hello there, dear friend. Bye.', ['<emotion value="happy"/>Hello there, dear friend.',
     "Bye."]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES)
@pytest.mark.parametrize("size", [1, 4, 1000])
def test_sentences_are_found_and_no_abbreviation_or_number_ends_one(text: str, expected: list[str], size: int) -> None:
    assert sentences(text, size) == expected


def test_a_sentence_is_given_out_as_soon_as_what_follows_tells_that_it_ended() -> None:
    coming = Sentences()
    assert coming.add("This is the first sentence") == []
    assert coming.add(".") == []
    assert coming.add(" ") == []
    assert coming.add("A") == ["This is the first sentence."]
    assert coming.rest(whole=False) == "A"


@pytest.mark.parametrize("text", ["word " * 400, "ไทย" * 500, "x" * 2000, "a, " * 700])
def test_a_sentence_without_an_end_is_cut_and_nothing_but_white_space_is_lost(text: str) -> None:
    found = sentences(text, 7)
    assert len(found) > 3
    assert max(map(len, found)) <= LONGEST + AFTER
    assert "".join("".join(found).split()) == "".join(text.split())


def test_a_tag_that_is_not_closed_waits_for_its_end_when_the_rest_is_flushed() -> None:
    coming = Sentences()
    coming.add('Hello <emotion value="sa')
    assert coming.rest(whole=False) == "Hello"
    coming.add('d"/>')
    assert coming.rest(whole=False) == ""  # a tag alone is nothing to say
    coming.add("there")
    assert coming.rest(whole=True) == '<emotion value="sad"/>there'


@given(st.text("ab .!?\n。…<>1é", max_size=700), st.integers(1, 50))
def test_cuts_depend_on_the_text_and_not_on_its_pieces_and_each_can_be_said(text: str, size: int) -> None:
    found = sentences(text, size)
    assert found == sentences(text, 10_000)
    assert "".join("".join(found).split()) == "".join(text.split())
    for one in found:
        check_text(one)
    with pytest.raises(Empty):
        check_text("".join(sentences(" \n ")))
