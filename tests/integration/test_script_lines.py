"""What may be a script: its lines, its variables, what is refused and how, and the samples that it keeps."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from conversations.models import Conversation, Script
from conversations.refusals import ConversationOver, NotJoined
from conversations.scripts import keeping
from conversations.scripts.asking import ScriptRuns, check
from conversations.scripts.lines import MOST_LINES, check_lines, fill, seconds_of, variables_in
from echoadmin.log.clips import append_samples, new_clip
from echoadmin.log.models import Entry
from echoadmin.runs import Run
from tests import make
from tests.integration.scripted import ANA, ask, script

pytestmark = pytest.mark.django_db


def clip(nbytes: int = 3_200) -> int:
    made = new_clip(16_000).pk
    append_samples(made, bytes(nbytes))
    return int(made)


def fields_of(refused: pytest.ExceptionInfo[ValidationError]) -> list[str]:
    return list(refused.value.message_dict)


@pytest.mark.parametrize(
    ("lines", "fields"),
    [
        (None, ["lines"]),
        ([], ["lines"]),
        ([{"text": "x"}] * (MOST_LINES + 1), ["lines"]),
        (["words"], ["lines.1"]),
        ([{"text": "Good."}, {}], ["lines.2"]),
        ([{"text": "Both.", "clip": 1}], ["lines.1"]),
        ([{"text": " "}], ["lines.1.text"]),
        ([{"text": 5}], ["lines.1.text"]),
        ([{"text": "x" * 20_001}], ["lines.1.text"]),
        ([{"text": "Bell \x07"}], ["lines.1.text"]),
        ([{"text": "Hello {{guest."}], ["lines.1.text"]),
        ([{"text": "Hello {{a b}}."}], ["lines.1.text"]),
        ([{"text": "Hello {{1st}}."}], ["lines.1.text"]),
        ([{"clip": 10**30}], ["lines.1.clip"]),
        ([{"clip": True}], ["lines.1.clip"]),
        ([{"clip": "1"}], ["lines.1.clip"]),
        ([{"text": "x", "pause": -1}], ["lines.1.pause"]),
        ([{"text": "x", "pause": "1"}], ["lines.1.pause"]),
        ([{"text": "x", "pause": float("nan")}], ["lines.1.pause"]),
        ([{"text": "x", "pause": 3601}], ["lines.1.pause"]),
        ([{"text": "x", "wait": "sent"}], ["lines.1.wait"]),
        ([{"text": "x", "colour": 1}], ["lines.1.colour"]),
        ([{"text": " "}, {"text": "x"}, {"text": "x", "pause": -1}], ["lines.1.text", "lines.3.pause"]),
    ],
)
def test_what_cannot_be_a_line_is_named_each_by_its_number(lines: Any, fields: list[str]) -> None:
    with pytest.raises(ValidationError) as refused:
        check_lines(lines)
    assert fields_of(refused) == fields


def test_lines_are_kept_whole_and_an_empty_clip_is_none() -> None:
    one = clip()
    lines = check_lines([{"text": "Hi."}, {"clip": one, "name": "a.wav", "pause": 2, "wait": None}])
    assert lines == [
        {"text": "Hi.", "pause": 0, "wait": "spoken"},
        {"clip": one, "sample_rate": 16_000, "seconds": 0.1, "name": "a.wav", "pause": 2, "wait": None},
    ]
    assert check_lines(lines) == lines
    assert seconds_of(lines) == pytest.approx(2.1 + 3 / 15)
    with pytest.raises(ValidationError):
        check_lines([{"clip": new_clip(16_000).pk}])


def test_variables_are_found_once_each_and_filled_in() -> None:
    lines = check_lines([{"text": "Hello {{ guest }} in {{ort}}."}, {"text": "{{guest}}, {{grüße}}!"}])
    assert variables_in(lines) == ["guest", "ort", "grüße"]
    filled = fill(lines, {"ort": "Rome", "grüße": ""}, {"guest": "{{ort}} Ana", "grüße": "ciao"})
    assert [line["text"] for line in filled] == ["Hello {{ort}} Ana in Rome.", "{{ort}} Ana, ciao!"]


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({}, "variables.guest", "Give guest"),
        ({"guest": "  "}, "variables.guest", "Give guest"),
        ({"guest": 5}, "variables.guest", "text"),
        ({"guest": "Ana", "gast": "x"}, "variables.gast", "It has: guest."),
        ([], "variables", "object"),
        ({"guest": "a" * 5_001}, "variables.guest", "5,000"),
        ({"guest": "\x07"}, "lines.1", "line 1 can't be said"),
    ],
)
def test_a_variable_that_is_missing_or_wrong_is_named(given: Any, field: str, words: str) -> None:
    lines = check_lines([{"text": "Hello {{guest}}."}])
    with pytest.raises(ValidationError) as refused:
        fill(lines, {}, given)
    assert fields_of(refused) == [field]
    assert words in refused.value.message_dict[field][0]


def test_a_script_is_saved_with_its_defaults_and_leaves_an_entry() -> None:
    made = script("Hello {{guest}} in {{city}}.", city="Rome")
    assert (made.variables, made.created_by) == ({"guest": "", "city": "Rome"}, "ana")
    assert Entry.objects.filter(event_type="script.saved").count() == 1
    with pytest.raises(ValidationError) as refused:
        script("Hello.", guest="nobody")
    assert fields_of(refused) == ["variables.guest"]
    with pytest.raises(ValidationError) as refused:
        keeping.save_script(actor=ANA, name=" ", lines=[{"text": "x"}])
    assert fields_of(refused) == ["name"]
    keeping.delete_script(actor=ANA, script=made)
    assert not Script.objects.exists()


def test_a_change_over_somebody_elses_is_refused() -> None:
    made = script("One.")
    first = made.revision
    keeping.save_script(actor=ANA, script=made, name="Tour", lines=[{"text": "Two."}], revision=first)
    with pytest.raises(keeping.Changed):
        keeping.save_script(actor=ANA, script=made, name="Tour", lines=[{"text": "Three."}], revision=first)
    assert Script.objects.get().lines[0]["text"] == "Two."


def test_samples_are_kept_as_long_as_a_script_or_an_open_run_has_them() -> None:
    target = Conversation.objects.get(pk=make.room().conversation_id)
    of_script, of_run, of_none = clip(), clip(), clip()
    run = ask(script({"clip": of_run}), target)
    Script.objects.all().delete()
    script({"clip": of_script})
    assert keeping.needed_clips([of_script, of_run, of_none]) == {of_script, of_run}
    Run.objects.filter(pk=run.pk).update(state="done")
    assert keeping.needed_clips([of_script, of_run, of_none]) == {of_script}


def test_a_run_keeps_the_lines_it_was_started_with() -> None:
    target = Conversation.objects.get(pk=make.room().conversation_id)
    made = script("Hello {{guest}}.")
    run = ask(made, target, guest="Ana")
    keeping.save_script(actor=ANA, script=made, name="Tour", lines=[{"text": "Other."}])
    run.refresh_from_db()
    assert [line["text"] for line in run.params["lines"]] == ["Hello Ana."]
    assert run.label.startswith("Tour into ")


def test_where_nothing_can_be_said_nothing_is_started() -> None:
    made = script("One.")
    room = make.room()
    into = room.conversation.public_id
    for params, field in (
        ({"script": "sc_none", "to": into}, "script"),
        ({"script": made.public_id, "to": 5}, "to"),
        ({"script": made.public_id, "to": into, "speed": 1}, "speed"),
    ):
        with pytest.raises(ValidationError) as refused:
            check(params)
        assert fields_of(refused) == [field]
    first = ask(made, room.conversation)
    with pytest.raises(ScriptRuns) as two:
        check({"script": made.public_id, "to": into})
    assert "Tour, which is waiting" in two.value.message
    Run.objects.filter(pk=first.pk).update(state="done")
    assert check({"script": made.public_id, "to": into}).conversation_ref == into
    type(room).objects.update(wanted="idle")
    with pytest.raises(NotJoined):
        check({"script": made.public_id, "to": into})
    Conversation.objects.update(status="ended")
    with pytest.raises(ConversationOver):
        check({"script": made.public_id, "to": into})
