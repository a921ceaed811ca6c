"""Verification as a run: with progress on a page, taken up again by another process where one has died."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

from echoadmin.log.models import Stream
from echoadmin.log.proof.verifying import Scope, State, Verification
from echoadmin.runs import Asked, Held, run_kind

EVERY = 5  # steps (of a thousand entries) between two writes of the place


def check(params: Mapping[str, Any]) -> Asked:
    """{} or {"stream": "cv_…"}, with `first` and `last` numbers of it. Raises ValidationError."""
    if strangers := sorted(set(params) - {"stream", "first", "last"}):
        raise ValidationError({strangers[0]: ["A verification takes stream, first and last."]})
    stream, first, last = (params.get(name) for name in ("stream", "first", "last"))
    for name, number in (("first", first), ("last", last)):
        whole = isinstance(number, int) and not isinstance(number, bool) and 1 <= number < 2**63
        if number is not None and not (whole and stream):
            raise ValidationError({name: ["Is a number of an entry, from 1 up, of the stream that is named."]})
    if first is not None and last is not None and first > last:
        raise ValidationError({"last": ["Is at least `first`."]})
    known = isinstance(stream, str) and Stream.objects.filter(public_id=stream[:64]).exists()
    if stream is not None and not known:
        raise ValidationError({"stream": ["There is no such stream. Give a conversation's id of ours, or account."]})
    asked = {name: value for name, value in (("stream", stream), ("first", first), ("last", last)) if value}
    return Asked(asked, f"verify {stream or 'everything'}", stream if stream and stream != Stream.ACCOUNT else "")


@run_kind("verify", role="auditor", check=check)
def verify_run(held: Held) -> dict[str, Any]:
    """Verifies what `params` say: {} everything, {"stream": "cv_…"}, and `first` and `last` numbers of it."""
    params = held.params
    scope = Scope(params.get("stream"), params.get("first"), params.get("last"))
    verification = Verification(scope, State.from_dict(held.cursor) if held.cursor else None)
    for step, state in enumerate(verification.steps()):
        if step % EVERY == 0 or state.complete:
            held.progress(state.checked, total=verification.total, cursor=state.as_dict())
    state = verification.state
    return {
        "verified": not state.findings,
        "entries": state.checked,
        "streams": state.streams,
        "findings": [finding.as_dict() for finding in state.findings],
    }
