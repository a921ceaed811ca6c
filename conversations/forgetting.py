"""What this app keeps of words beside the log: they go when the log's are erased."""

from __future__ import annotations

from collections.abc import Sequence

from conversations.models import Echo, Interaction, SavedLine, WebhookReceived
from conversations.models.echo import FINAL_STATES, EchoState, InteractionState
from echoadmin.log.keeping.followers import on_erase
from echoadmin.log.keeping.samples import on_drop

OPEN_STATES = [state for state in EchoState if state not in FINAL_STATES]


def forget_words(of: str, value: str, echo_ids: Sequence[int]) -> None:
    """Empties the texts of echoes and the messages of interactions whose entries were erased, once they are final."""
    Echo.objects.filter(pk__in=echo_ids, state__in=FINAL_STATES).exclude(text="").update(text="")
    if of == "conversation":
        Echo.objects.filter(conversation__public_id=value, state__in=FINAL_STATES).exclude(text="").update(text="")
        waiting = (InteractionState.QUEUED, InteractionState.SENDING)
        Interaction.objects.filter(conversation__public_id=value).exclude(state__in=waiting).update(message={})
        WebhookReceived.objects.filter(conversation__public_id=value).update(body={})


def needed_clips(clips: Sequence[int]) -> set[int]:
    """Those of the clips that echoes still have to say, and that saved lines are made of."""
    waiting = Echo.objects.filter(state__in=OPEN_STATES, clip_id__in=clips).values_list("clip_id", flat=True)
    saved = SavedLine.objects.filter(clip_id__in=clips).values_list("clip_id", flat=True)
    return {clip for clip in (*waiting, *saved) if clip is not None}


on_erase(forget_words)
on_drop(needed_clips)
