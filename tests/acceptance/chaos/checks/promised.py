"""What the client was promised: it ends, it is said at most once, in its order, and what is told of it is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from tests import witnesses
from tests.acceptance.calling import FINAL
from tests.acceptance.chaos.checks.finding import Check
from tests.acceptance.chaos.evidence import Evidence, Story
from tests.acceptance.chaos.promises import Promise

NEVER_SENT = {"cancelled", "failed"}


def every_promise_ends(evidence: Evidence) -> Check:
    """Each 202 has an echo in the console, and that has come to an end."""
    problems = [problem for story in evidence.stories for problem in _endless(story)]
    states = Counter(story.echoes[p.inference_id]["state"] for story, p in _kept(evidence))
    told = ", ".join(f"{count} {state}" for state, count in states.most_common())
    return Check("every accepted echo has a final state", f"{_promised(evidence)} accepted: {told}", problems)


def nothing_is_refused(evidence: Evidence) -> Check:
    """Neither a restart nor an outage is a reason to say no for good."""
    all_promises = [promise for opening in evidence.openings for promise in opening.promises]
    problems = [f"{promise.name}: {promise.refused}" for promise in all_promises if promise.refused]
    repeated = sum(promise.tries > 1 and promise.accepted for promise in all_promises)
    unknown = sum(not promise.accepted and not promise.refused for promise in all_promises)
    told = f"{len(all_promises)} asked for, {repeated} accepted only when asked again, {unknown} never answered"
    return Check("nothing that may be said is refused", told, problems)


def nothing_is_said_twice(evidence: Evidence) -> Check:
    """By words, by samples, and by what the replica said that it began."""
    problems = [problem for story in evidence.stories for problem in (*_carried_twice(story), *_spoken_twice(story))]
    texts = sum(len(_texts(story)) for story in evidence.stories)
    audio = sum(len(_audio_ids(story)) for story in evidence.stories)
    return Check("nothing is said twice", f"the rooms carried {texts} texts and {audio} audio echoes", problems)


def order_is_kept(evidence: Evidence) -> Check:
    """What was promised first is said first."""
    problems = []
    for story in evidence.stories:
        place = {inference_id: at for at, inference_id in enumerate(_first_arrivals(story))}
        said = [p for p in story.opening.promises if p.inference_id in place]
        late = [(a, b) for a, b in pairwise(said) if place[str(a.inference_id)] > place[str(b.inference_id)]]
        problems += [f"{story.name}: {b.name} was said before {a.name}" for a, b in late]
    return Check("echoes are said in the order in which they were accepted", "", problems)


def states_are_true(evidence: Evidence) -> Check:
    """Spoken: the room carried all of it; cancelled, failed: nothing of it."""
    problems = []
    for story, promise in _kept(evidence):
        state = story.echoes[str(promise.inference_id)]["state"]
        carried = _carried(story, promise)
        if state == "spoken" and carried != (promise.pcm or promise.text):
            problems.append(f"{story.name}: {promise.name} is spoken, and the room carried {_size(carried)} of it")
        if state in NEVER_SENT and promise.text and carried:
            problems.append(f"{story.name}: {promise.name} is {state}, and the room carried it")
    return Check("what is told of an echo is true", "", problems)


def _endless(story: Story) -> Iterator[str]:
    for promise in story.opening.promises:
        if not promise.accepted:
            continue
        echo = story.echoes.get(str(promise.inference_id))
        if echo is None:
            yield f"{story.name}: {promise.name} was accepted as {promise.inference_id}, and is nowhere"
        elif echo["state"] not in FINAL:
            yield f"{story.name}: {promise.name} ({promise.inference_id}) is still {echo['state']}"


def _carried_twice(story: Story) -> Iterator[str]:
    for text, count in Counter(_texts(story)).items():
        if count > 1:
            yield f"{story.name}: the room carried {count} times: {text[:80]}"
    wholes = {promise.pcm for promise in story.opening.promises if promise.pcm}
    for inference_id in _audio_ids(story):
        heard = witnesses.samples(_sent(story), inference_id)
        if not any(whole.startswith(heard) for whole in wholes):
            yield f"{story.name}: the samples of {inference_id} ({len(heard)} bytes) are of no echo, or not in order"


def _spoken_twice(story: Story) -> Iterator[str]:
    began = "conversation.replica.started_speaking"
    starts = [row["message"] for row in story.record if row["message"].get("event_type") == began]
    for inference_id, count in Counter(message["inference_id"] for message in starts).items():
        if count > 1:
            yield f"{story.name}: the replica began {inference_id} {count} times"
    finals = [row["message"] for row in story.record if row["message"].get("event_type") == "conversation.utterance"]
    for words, count in Counter(message["properties"]["speech"] for message in finals).items():
        if count > 1 and words:
            yield f"{story.name}: the replica said {count} times: {words[:80]}"


def _carried(story: Story, promise: Promise) -> str | bytes:
    if promise.pcm:
        return witnesses.samples(_sent(story), str(promise.inference_id))
    return promise.text if promise.text in _texts(story) else ""


def _sent(story: Story) -> list[dict[str, Any]]:
    rows = (row for row in story.record if row["from_name"].startswith(witnesses.OURS))
    return [row["message"] for row in rows if witnesses.is_echo(row["message"])]


def _texts(story: Story) -> list[str]:
    return [message["properties"]["text"] for message in _sent(story) if "text" in message["properties"]]


def _audio_ids(story: Story) -> set[str]:
    mine = (message["properties"] for message in _sent(story))
    return {properties["inference_id"] for properties in mine if "audio" in properties}


def _first_arrivals(story: Story) -> list[str]:
    return list(dict.fromkeys(message["properties"]["inference_id"] for message in _sent(story)))


def _kept(evidence: Evidence) -> Iterator[tuple[Story, Promise]]:
    for story in evidence.stories:
        for promise in story.opening.promises:
            if promise.inference_id in story.echoes:
                yield story, promise


def _promised(evidence: Evidence) -> int:
    return sum(promise.accepted for opening in evidence.openings for promise in opening.promises)


def _size(carried: str | bytes) -> str:
    return f"{len(carried)} bytes" if carried else "nothing"
