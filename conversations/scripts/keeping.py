"""Scripts as people keep them: saved, changed, taken away; and their samples. Each change leaves an entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from conversations import audio
from conversations.models import Script
from conversations.refusals import Empty, NotNow
from conversations.scripts.lines import check_defaults, check_lines, variables_in
from echoadmin.accounts.recording import record
from echoadmin.actors import Actor
from echoadmin.log import clips
from echoadmin.log.keeping.samples import on_drop
from echoadmin.log.models import Clip
from echoadmin.runs import ENDED, Run

MOST_SCRIPTS = 1_000
LONGEST_NAME = 100


class Changed(NotNow):
    """Somebody saved it since it was read."""

    code = "changed"


def save_script(
    *,
    actor: Actor,
    name: Any,
    lines: Any,
    variables: Any = None,
    script: Script | None = None,
    public_id: str = "",
    revision: int | None = None,
) -> Script:
    """A new script, or `script` changed. `variables`: the defaults of those that its lines hold. `revision`: the one
    that was read before, so that nobody's change is lost. Raises ValidationError, and Changed."""
    wrong = {} if _is_name(name) else {"name": [f"Is a text of 1 to {LONGEST_NAME} characters."]}
    try:
        kept = check_lines(lines)
    except ValidationError as error:
        raise ValidationError(wrong | error.message_dict) from None
    if wrong:
        raise ValidationError(wrong)
    row = script or Script(created_by=actor.name)
    row.name, row.lines = name.strip(), kept
    row.variables = check_defaults({} if variables is None else variables, variables_in(kept))
    if public_id:
        row.public_id = public_id
    if script is None and Script.objects.count() >= MOST_SCRIPTS:
        raise ValidationError({"name": [f"There are {MOST_SCRIPTS:,} scripts. Take some away first."]})
    with transaction.atomic():
        if script is not None:
            now = Script.objects.select_for_update().get(pk=script.pk).revision
            if revision is not None and revision != now:
                raise Changed("revision", f"Somebody saved it meanwhile: it is at revision {now}. Read it again.")
            row.revision = now + 1
        row.save()
        record(
            "script.saved", actor, {"id": row.public_id, "name": row.name, "lines": len(kept), "revision": row.revision}
        )
    return row


def fitting_defaults(script: Script, lines: Any) -> dict[str, str]:
    """The script's defaults, of those variables that other lines still hold; lines that are none hold none."""
    names = variables_in(line for line in lines if isinstance(line, Mapping)) if isinstance(lines, list) else []
    return {name: script.variables[name] for name in names if script.variables.get(name)}


def delete_script(*, actor: Actor, script: Script) -> None:
    """Takes it away; runs that were started with it have lines of their own."""
    facts = {"id": script.public_id, "name": script.name}
    with transaction.atomic():
        script.delete()
        record("script.deleted", actor, facts)


def new_clip(*, pcm: Iterable[bytes], sample_rate: int) -> Clip:
    """Samples for a line, stored block by block. Raises Refusal for audio that is none."""
    clip = clips.new_clip(audio.check_sample_rate(sample_rate))
    try:
        for block in pcm:
            clips.append_samples(clip.pk, block)
        clip.refresh_from_db()
        if not clip.size:
            raise Empty("file", "Has no samples. Send at least one.")
    except BaseException:
        clips.drop_clip(clip.pk)
        raise
    return clip


def needed_clips(asked: Sequence[int]) -> set[int]:
    """Those of the clips that a script has, or a run of one that has not ended."""
    wanted, found = set(asked), set()
    for lines in Script.objects.values_list("lines", flat=True):
        found |= _clips_of(lines)
    for params in Run.objects.filter(kind="script").exclude(state__in=ENDED).values_list("params", flat=True):
        found |= _clips_of(params.get("lines", []))
    return wanted & found


def _clips_of(lines: Iterable[Any]) -> set[int]:
    return {line["clip"] for line in lines if line.get("clip")}


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and 1 <= len(name.strip()) <= LONGEST_NAME


on_drop(needed_clips)
