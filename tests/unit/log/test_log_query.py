"""What people type, taken apart: words, phrases, beginnings, values of fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoadmin.log.search.query import LONGEST_QUERY, Phrase, Query, QueryError, marked, parse
from echoadmin.log.search.words import MOST_FACETS, body_facets, facet, placed_words, words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello, World!", ["hello", "world"]),
        ("don't stop", ["don", "t", "stop"]),
        ("snake_case 3.14", ["snake", "case", "3", "14"]),
        ("Café STRASSE Straße Ünal", ["cafe", "strasse", "strasse", "unal"]),
        ("東京タワー2024", ["東", "京", "タ", "ワ", "ー", "2024"]),
        ("Привет мир", ["привет", "мир"]),
        ("x" * 100, ["x" * 64]),
        ("…!? ,,", []),
        ("", []),
    ],
)
def test_a_text_falls_apart_into_words_without_case_and_accents(text: str, found: list[str]) -> None:
    assert words(text) == found


@given(st.text())
def test_words_are_letters_and_digits_alone_whatever_the_text(text: str) -> None:
    for word in words(text):
        assert word.isalnum(), word
    assert words(text) == [word for word, _, _ in placed_words(text)]


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("daft punk", [Phrase(("daft",)), Phrase(("punk",))]),
        ('"Daft Punk" live', [Phrase(("daft", "punk")), Phrase(("live",))]),
        ("danc*", [Phrase(("danc",), True)]),
        ('"daft pu*"', [Phrase(("daft", "pu"), True)]),
        ('"daft pu"*', [Phrase(("daft", "pu"), True)]),
        ("don't", [Phrase(("don", "t"))]),
        ("https://tavus.io/x", [Phrase(("https", "tavus", "io", "x"))]),
        ("10:30 note: it", [Phrase(("10", "30")), Phrase(("note",)), Phrase(("it",))]),
        ("東京* *", [Phrase(("東", "京"))]),
        ("a a", [Phrase(("a",))]),
        ('") OR 1=1 --"', [Phrase(("or", "1", "1"))]),
        ("said:x' | 'y", [Phrase(("y",))]),
        ('NEAR(a b, 5) AND "x" NOT y', [Phrase((w,)) if isinstance(w, str) else w for w in
            (Phrase(("near", "a")), "b", "5", "and", "x", "not", "y")]),
    ],
)  # fmt: skip
def test_a_query_is_words_phrases_and_beginnings_and_nothing_else(text: str, phrases: list[Phrase]) -> None:
    assert list(parse(text).phrases) == phrases


def test_values_of_fields_are_facets_without_case() -> None:
    wanted = Query((Phrase(("hello",)),), frozenset({facet("status", "404"), facet("Name", "get weather")}))
    assert parse('hello STATUS:404 name:"Get Weather"') == wanted
    assert parse("event_type:conversation.echo").facets == {facet("event_type", "conversation.echo")}
    assert parse("time:10:30").facets == {facet("time", "10:30")}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x" * (LONGEST_QUERY + 1), "501 characters long"),
        ('"daft punk', "not closed"),
        ('a "b" c"', "not closed"),
        ("!!! ?", "no word"),
        ('""', "no word"),
        ("a*", "at least 2 letters"),
        ("status:40*", r"status:40\*"),
        ('status:""', "status"),
        ('status:" "', "status"),
        (f"status:{'4' * 65}", "64 characters"),
        (" ".join(f"w{i}" for i in range(21)), "over 20 terms"),
    ],
)
def test_a_query_that_can_not_be_is_refused_in_words(text: str, told: str) -> None:
    with pytest.raises(QueryError, match=told):
        parse(text)


@given(st.text(max_size=600) | st.text(alphabet='ab"*: ', max_size=60))
def test_any_text_is_a_query_or_is_refused(text: str) -> None:
    try:
        query = parse(text)
    except QueryError as error:
        assert str(error)
    else:
        assert query.phrases or query.facets


def test_scalar_values_of_a_body_are_facets_under_their_own_names() -> None:
    body = '{"a":{"status":404,"ok":true,"none":null,"list":["x",{"deep":1.5}]},"long":"%s","text":" Two Words "}'
    found = body_facets(body % ("y" * 65))
    wanted = [("status", "404"), ("ok", "true"), ("list", "x"), ("deep", "1.5"), ("text", "two words")]
    assert found == {facet(name, value) for name, value in wanted}
    assert body_facets(None) == body_facets("3") == set()
    assert len(body_facets("[" + ",".join(f'{{"k":{i}}}' for i in range(500)) + "]")) == MOST_FACETS


@pytest.mark.parametrize(
    ("text", "query", "shown"),
    [
        ("Around the world, around.", "around", "[Around] the world, [around]."),
        ("Around the world", '"the world"', "Around [the world]"),
        ("Around the world", "the world", "Around [the world]"),
        ("the Café", "caf*", "the [Café]"),
        ("a b a b", '"a b" zz', "[a b a b]"),
        ("nothing", "status:4", "nothing"),
        ("東京タワー", "京", "東[京]タワー"),
    ],
)
def test_hits_are_marked_in_the_text_as_it_was(text: str, query: str, shown: str) -> None:
    pieces = marked(text, parse(query))
    assert "".join(f"[{piece}]" if hit else piece for piece, hit in pieces) == shown


@given(st.text(), st.sampled_from(["a", '"a b"', "ab*", "é"]))
def test_marking_changes_nothing_in_the_text(text: str, query: str) -> None:
    assert "".join(piece for piece, _ in marked(text, parse(query))) == text
