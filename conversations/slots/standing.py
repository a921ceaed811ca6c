"""How many slots there are, how many are taken, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from conversations.models import Conversation, RequestState, SlotLimit, SlotRequest
from echoadmin.mirror.models import MirrorState

LONGEST = timedelta(hours=1)  # that a create whose answer was lost is taken to hold a slot
HOLDS = Q(status="active", state=MirrorState.LIVE, test_mode=False)


@dataclass(frozen=True, slots=True)
class Slots:
    """`limit` is None where it is not known; `source`: CONVERSATION_SLOTS, `tavus` (learned from a refusal) or "".
    `taken` counts what runs and what was asked for and is not known to have failed."""

    limit: int | None
    source: str
    learned: int | None
    learned_at: datetime | None
    taken: int
    waiting: int

    @property
    def free(self) -> int | None:
        """None where the limit is not known."""
        return None if self.limit is None else max(0, self.limit - self.taken)

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {name: getattr(self, name) for name in (*self.__dataclass_fields__, "free")}


def holders() -> QuerySet[Conversation]:
    """What holds a slot, the longest first."""
    asked = Q(state__in=(MirrorState.RESERVED, MirrorState.UNKNOWN), created_at__gt=timezone.now() - LONGEST)
    return Conversation.objects.filter(HOLDS | (asked & Q(test_mode=False))).order_by("id")


def slot_limit() -> int | None:
    """CONVERSATION_SLOTS, else what Tavus taught; None where neither is known."""
    if settings.CONVERSATION_SLOTS:
        return int(settings.CONVERSATION_SLOTS)
    return SlotLimit.objects.order_by("-id").values_list("learned", flat=True).first()


def slots() -> Slots:
    """How they stand now. Three queries."""
    learned = SlotLimit.objects.order_by("-id").first()
    limit = settings.CONVERSATION_SLOTS or (learned.learned if learned else None)
    source = "CONVERSATION_SLOTS" if settings.CONVERSATION_SLOTS else "tavus" if learned else ""
    waiting = SlotRequest.objects.filter(state=RequestState.WAITING).count()
    most, at = (learned.learned, learned.learned_at) if learned else (None, None)
    return Slots(limit, source, most, at, holders().count(), waiting)


def learn(*, refused: bool) -> None:
    """Tavus refused one for want of a slot, or took one: what that says about how many there are.

    A refusal teaches that no more than run now may; one more than was learned teaches that the plan has grown.
    """
    running = Conversation.objects.filter(HOLDS).count()
    known = SlotLimit.objects.order_by("-id").first()
    if refused and running:
        SlotLimit.objects.update_or_create(pk=1, defaults={"learned": running, "learned_at": timezone.now()})
    elif not refused and known is not None and running > known.learned:
        SlotLimit.objects.filter(pk=known.pk).update(learned=running, learned_at=timezone.now())
