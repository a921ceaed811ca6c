"""One check of a pre-flight, and those that both kinds of it have."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count
from django.urls import reverse
from django.utils import timezone

from conversations.models import Worker
from conversations.slots.standing import slots
from echoadmin.read_only import address
from personas.models import Persona


@dataclass(frozen=True, slots=True)
class Check:
    """name: what was looked at. ok: whether all is well. blocks: whether it would fail as it is; what is not ok and
    blocks nothing is to be known beforehand. way_out: what to do, at `address` where there is a page for it.
    """

    name: str
    ok: bool
    words: str
    way_out: str = ""
    address: str = ""
    blocks: bool = False

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def good(name: str, words: str, where: str = "") -> Check:
    """All is well."""
    return Check(name, True, words, address=where)


def wrong(name: str, words: str, way_out: str, where: str = "") -> Check:
    """It would fail."""
    return Check(name, False, words, way_out, where, blocks=True)


def odd(name: str, words: str, way_out: str, where: str = "") -> Check:
    """It would not fail, and may not be what is wanted."""
    return Check(name, False, words, way_out, where)


def persona_checks(persona: Persona, payload: dict[str, Any]) -> list[Check]:
    """Whether it says what it is sent, and nothing else. payload: as Tavus has it, or had it last."""
    mode, where = (
        str(payload.get("pipeline_mode") or persona.pipeline_mode or "full"),
        address(persona) if persona.pk else "",
    )
    if mode != "echo":
        words = f"The persona's pipeline_mode is {mode}: its replica also speaks for itself."
        return [wrong("persona", words, "Pick an echo persona, or make one.", reverse("admin:personas_persona_add"))]
    checks = [good("persona", "It is in echo mode.", where)]
    transport = (payload.get("layers") or {}).get("transport")
    if not isinstance(transport, dict):
        words = "Its transport layer is not told by Tavus."
        return [*checks, odd("transport", words, "Make it with layers.transport, as this console's own are.", where)]
    if transport.get("transport_type") not in (None, "daily"):
        words = f"Its transport is {transport['transport_type']}: this console speaks through Daily rooms."
        return [*checks, wrong("transport", words, "Pick a persona whose transport_type is daily.", where)]
    microphone = (transport.get("input_settings") or {}).get("microphone")
    if microphone == "enabled" or (isinstance(microphone, dict) and microphone.get("isEnabled")):
        words = "Its microphone is enabled: the replica also says what people in the room say."
        return [*checks, odd("transport", words, "Set layers.transport.input_settings.microphone to disabled.", where)]
    return [*checks, good("transport", "It is driven by messages; the room's microphones are not echoed.", where)]


def worker_check() -> Check:
    """Whether somebody would join the room."""
    now = timezone.now()
    alive = Worker.objects.filter(stopped_at=None, lease_until__gt=now, draining=False, drain_wanted=False)
    rows = list(alive.filter(lease_until__lt=now + timedelta(days=1)).annotate(held=Count("rooms"))[:100])
    where = reverse("admin:conversations_worker_changelist")
    if not rows:
        way_out = "Start one: manage.py runrooms, or the console with ECHOADMIN_ROOMS=inline."
        return wrong("worker", "No worker is alive: nobody would join the room.", way_out, where)
    free = sum(max(0, row.capacity - row.held) for row in rows)
    if not free:
        return wrong("worker", "Every worker has all the rooms it can hold.", "Leave a room, or start a worker.", where)
    return good("worker", f"A worker is there, with room for {free:,} more.", where)


def slot_check() -> Check:
    """Whether Tavus would let another one run, as far as is known here."""
    standing, where = slots(), reverse("admin:conversations_slotrequest_slots")
    taken, limit = standing.taken, standing.limit
    if limit is None:
        return odd("slot", f"{taken} run now; how many may is not known here.", "Set CONVERSATION_SLOTS.", where)
    if taken >= limit:
        way_out = "End a conversation that is not needed any more, or wait for the next slot."
        return wrong("slot", f"All {limit} slots are taken.", way_out, where)
    return good("slot", f"A slot is free: {taken} of {limit} are taken.", where)
