"""The canonical form and the chain."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoadmin.log.chain import HEADER_COLUMNS, canonical, digest, header, instant, leaf

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec=None)), inner),
    max_leaves=20,
)


@given(JSON)
def test_canonical_json_is_ascii_and_read_back_is_its_own_canonical_form(value: object) -> None:
    text = canonical(value)
    assert text.isascii()
    assert canonical(json.loads(text)) == text


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_keys_makes_no_difference(value: dict[str, int]) -> None:
    assert canonical(dict(reversed(value.items()))) == canonical(value)


def test_canonical_json_has_nothing_between_its_tokens_and_escapes_what_is_not_ascii() -> None:
    assert canonical({"b": [1, 2.5, None], "a": "é\0\ud800"}) == '{"a":"\\u00e9\\u0000\\ud800","b":[1,2.5,null]}'


def test_what_json_has_no_number_for_becomes_a_string() -> None:
    value = {"a": [float("nan"), float("inf"), -float("inf")], "b": 1.5, "c": 10**5000}
    read = json.loads(canonical(value))
    assert read == {"a": ["NaN", "Infinity", "-Infinity"], "b": 1.5, "c": hex(10**5000)}


def test_a_huge_integer_that_json_can_carry_stays_a_number() -> None:
    assert canonical(10**4000) == "1" + "0" * 4000


def test_times_and_decimals_are_logged_as_strings_and_other_objects_are_refused_by_name() -> None:
    assert canonical({"at": datetime(2024, 1, 2, tzinfo=UTC), "price": Decimal("0.10")}) == (
        '{"at":"2024-01-02T00:00:00.000000Z","price":"0.10"}'
    )
    with pytest.raises(TypeError, match="object has no form in JSON"):
        canonical(object())


def test_a_moment_is_written_in_utc_with_six_digits() -> None:
    noon = datetime(2024, 1, 2, 12, 0, 0, 7, tzinfo=timezone(timedelta(hours=2)))
    assert instant(noon) == "2024-01-02T10:00:00.000007Z"


def test_the_chain_is_sha256_over_raw_bytes() -> None:
    columns = dict.fromkeys(HEADER_COLUMNS)
    body = hashlib.sha256(b"null").digest()
    head = header(columns)
    assert head == json.dumps(columns, sort_keys=True, separators=(",", ":")).encode()
    assert leaf(head, body) == hashlib.sha256(head + body).digest()
    assert digest(bytes(32), leaf(head, body)) == hashlib.sha256(bytes(32) + leaf(head, body)).digest()


def test_the_header_leaves_out_what_erasing_changes_and_what_differs_between_databases() -> None:
    left_out = {"id", "body", "body_sha256", "said", "clip_id", "leaf", "digest", "erased_at"}
    from echoadmin.log.models import Entry

    assert set(HEADER_COLUMNS) == {field.name for field in Entry._meta.concrete_fields} - left_out
    assert list(HEADER_COLUMNS) == sorted(HEADER_COLUMNS)
