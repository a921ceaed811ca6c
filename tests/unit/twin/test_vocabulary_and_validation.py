"""Names in two families, and what a body may hold."""

import ast

import pytest

from echoadmin.twin import validation
from echoadmin.twin.refusals import Invalid
from echoadmin.twin.vocabulary import NEW, OLD, of_conversation


def test_what_is_written_in_a_vocabulary_reads_back_the_same() -> None:
    row = {
        "persona_id": "p1", "default_replica_id": "r1", "other": 1,
        "layers": {"conversational_flow": {"replica_interruptibility": "low", "wake_phrase": "hey"}},
    }  # fmt: skip
    assert NEW.read(NEW.write(row)) == row
    assert OLD.read(OLD.write(row)) == row
    assert set(NEW.write(row)) == {"pal_id", "default_face_id", "other", "layers"}


def test_the_other_familys_names_are_left_out() -> None:
    assert NEW.read({"pal_name": "a", "persona_name": "b", "x": 1}) == {"persona_name": "a", "x": 1}
    assert OLD.read({"pal_name": "a", "persona_name": "b", "x": 1}) == {"persona_name": "b", "x": 1}


def test_the_third_name_of_interruptibility_is_understood() -> None:
    read = NEW.read({"layers": {"conversational_flow": {"face_interruptibility": "high"}}})
    assert read == {"layers": {"conversational_flow": {"replica_interruptibility": "high"}}}


def test_writing_leaves_the_row_itself_alone() -> None:
    row = {"persona_id": "p1", "layers": {"conversational_flow": {"replica_interruptibility": "low"}}}
    NEW.write(row)
    assert row["layers"] == {"conversational_flow": {"replica_interruptibility": "low"}}


@pytest.mark.parametrize(
    ("body", "family"),
    [({"pal_id": "p"}, NEW), ({"face_id": "r"}, NEW), ({"persona_id": "p"}, OLD), ({}, OLD)],
)
def test_a_conversations_family_is_told_by_its_keys(body: dict[str, str], family: object) -> None:
    assert of_conversation(body) is family


def fields_of(error: Invalid) -> dict[str, object]:
    assert error.body
    fields: dict[str, object] = ast.literal_eval(error.body["error"].removeprefix("Bad Request. "))
    return fields


def test_an_error_is_a_python_dict_in_a_string_in_the_callers_names() -> None:
    with pytest.raises(Invalid) as caught:
        validation.check_persona({"persona_name": 1, "pipeline_mode": "echo"}, NEW, created=True)
    assert fields_of(caught.value) == {
        "pal_name": ["Not a valid string."],
        "default_face_id": ["default_face_id is required when creating a pal."],
    }


def test_a_null_is_a_field_left_out_and_unknown_fields_pass() -> None:
    body = {"persona_name": None, "pipeline_mode": "echo", "something_newer": {"deep": []}, "layers": None}
    validation.check_persona(body, OLD, created=True)


@pytest.mark.parametrize(
    ("properties", "wrong"),
    [
        ({"max_call_duration": 0}, "max_call_duration"),
        ({"participant_left_timeout": -1}, "participant_left_timeout"),
        ({"participant_absent_timeout": True}, "participant_absent_timeout"),
        ({"enable_recording": "yes"}, "enable_recording"),
    ],
)
def test_wrong_properties_are_named_inside_properties(properties: dict[str, object], wrong: str) -> None:
    with pytest.raises(Invalid) as caught:
        validation.check_conversation({"persona_id": "p", "properties": properties}, OLD)
    inner = fields_of(caught.value)["properties"]
    assert isinstance(inner, dict) and list(inner) == [wrong]


@pytest.mark.parametrize("good", ["", "http://127.0.0.1:8000/webhooks/tavus/x/?ref=cv_1", "https://x.example"])
def test_good_addresses_pass(good: str) -> None:
    assert validation.url(good) is None


@pytest.mark.parametrize("bad", ["x", "ftp://x.example", "https://", 5])
def test_bad_addresses_do_not(bad: object) -> None:
    assert validation.url(bad)
