"""The pages of conversations: the list, a new one, and one with its room, its echoes and its log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from conversations.admin.interacting import InteractingPart
from conversations.admin.lines import LinesPart
from conversations.admin.page_parts import ONE
from conversations.admin.preflight import PreflightPart
from conversations.admin.queueing import QueueingPart
from conversations.admin.replaying import ReplayingPart
from conversations.admin.scripting import ScriptingPart
from conversations.admin.speaking import SpeakingPart
from conversations.admin.staging import StagingPart
from conversations.admin.starting import StartingPart
from conversations.admin.state import page_state
from conversations.admin.stopping import StoppingPart, stop_context
from conversations.admin.transcript import TranscriptPart
from conversations.forms import NewConversationForm
from conversations.models import Conversation, SlotRequest
from conversations.models.price import rate_at
from conversations.money.words import price_words
from conversations.services import mirroring, rooms
from conversations.services.mirrored import CONVERSATION
from conversations.services.orphans import adopt_stranger
from conversations.slots.queueing import wait_for_slot
from conversations.slots.standing import slot_limit
from conversations.standing import room_of
from echoadmin.accounts.acting import actor
from echoadmin.accounts.roles import may
from echoadmin.actors import Actor
from echoadmin.form_tokens import make_once, new_token
from echoadmin.mirror.admin import CreatedAdmin
from echoadmin.pages import button, draw, require_role, tell
from echoadmin.read_only import Facts, address
from echoadmin.shown import NOTHING, code, lasting, link, money, state
from echoadmin.tavus.errors import TavusError
from personas.models import Persona, Replica
from personas.pictures import initials, picture


def face_of(row: Conversation) -> Replica | None:
    """Its replica; where none was named, its persona's own."""
    if row.replica or not row.persona or not row.persona.default_replica_id:
        return row.replica
    return Replica.objects.filter(upstream_id=row.persona.default_replica_id).first()


@admin.register(Conversation)
class ConversationAdmin(  # a PagePart a concern, one a line
    InteractingPart,
    PreflightPart,
    QueueingPart,
    ReplayingPart,
    ScriptingPart,
    LinesPart,
    SpeakingPart,
    StagingPart,
    StartingPart,
    StoppingPart,
    TranscriptPart,
    CreatedAdmin,
):
    """Conversations: what costs money."""

    kind = CONVERSATION
    list_display = (
        "shown_name", "shown_status", "shown_room", "persona", "replica",
        "shown_made", "shown_seconds", "shown_cost", "created_by",
    )  # fmt: skip
    list_display_links = ("shown_name",)
    list_filter = ("status", "state", "made_here", "test_mode", "room__state")
    list_select_related = ("persona", "replica", "room")
    change_list_template = "conversations/conversations.html"
    detail_template = "conversations/conversation.html"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, "manager")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("persona", "replica", "room", "room__worker")

    @display(description="Name", ordering="name")
    def shown_name(self, row: Conversation) -> str:
        """Its name, or an id."""
        return str(row)

    @display(description="Status", ordering="status")
    def shown_status(self, row: Conversation) -> SafeString:
        """Upstream's status; the row's own state where upstream has none."""
        return state(row.status if row.state == "live" and row.status else row.state)

    @display(description="Room", ordering="room__state")
    def shown_room(self, row: Conversation) -> SafeString:
        """How its room stands."""
        room = room_of(row)
        return state(room.state) if room else NOTHING

    @display(description="Time")
    def shown_seconds(self, row: Conversation) -> SafeString | str:
        """Billed time so far."""
        return lasting(row.seconds) if row.upstream_id else NOTHING

    @display(description="Cost")
    def shown_cost(self, row: Conversation) -> str:
        """What that costs."""
        return money(row.cost, row.currency)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        own = {
            "sync_address": reverse("admin:conversations_conversation_sync_all"),
            "may_sync": may(request.user, "manager"),
        }
        own |= {"add_words": "New conversation", **stop_context(request)}
        return super().changelist_view(request, own | (extra_context or {}))

    def custom_paths(self) -> list[Any]:
        return [
            *super().custom_paths(),
            ("sync/", "sync_all", self.sync_all),
            (ONE + "join/", "join", self.join),
            (ONE + "leave/", "leave", self.leave),
            (ONE + "end/", "end", self.end),
            (ONE + "sync/", "sync", self.sync),
            (ONE + "make-ours/", "make_ours", self.make_ours),
            (ONE + "state/", "state", self.state_view),
            *self.page_paths(),
        ]

    # one conversation

    def own_facts(self, row: Conversation) -> Facts:
        webhooks = "come here" if row.webhooks_here else "don't come here"
        limit = lasting(row.max_call_duration) if row.max_call_duration else NOTHING
        left = "at once" if row.participant_left_timeout == 0 else lasting(row.participant_left_timeout) or NOTHING
        return [
            ("Persona", link(address(row.persona), row.persona) if row.persona else code(row.upstream_persona_id)),
            ("Replica", self._shown_replica(row)),
            ("Room's address", code(row.conversation_url)),
            ("Ends by itself after", limit),
            ("Ends when all have left", left),
            ("Webhooks", webhooks),
        ]

    def _shown_replica(self, row: Conversation) -> Any:
        replica = face_of(row)
        if replica is None:
            return code(row.upstream_replica_id)
        words = link(address(replica), replica)
        return words if row.upstream_replica_id else format_html("{} (the persona’s own)", words)

    def more_context(self, request: HttpRequest, row: Conversation) -> dict[str, Any]:
        face = face_of(row)
        return super().more_context(request, row) | {
            **self.page_context(request, row),
            "live": page_state(row),
            "may_speak": may(request.user, "operator"),
            "may_manage": may(request.user, "manager"),
            "speak_token": new_token(),
            "picture": picture(face),
            "initials": initials(face) if face else "",
            "documents_closed": True,
            "max_characters": settings.ECHO_MAX_CHARACTERS,
            "leaving_ends_it": row.participant_left_timeout == 0,
            "may_adopt": not row.made_here and row.is_active and may(request.user, "manager"),
        }

    def state_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What the page shows, as JSON, for the page's own script."""
        require_role(request, "auditor", "see conversations")
        return JsonResponse(page_state(self.find(request, object_id)))

    def adopt_row(self, who: Actor, row: Conversation, upstream_id: str) -> None:
        mirroring.adopt_conversation(actor=who, conversation=row, conversation_id=upstream_id)

    def give_up_row(self, who: Actor, row: Conversation) -> None:
        mirroring.give_up_conversation(actor=who, conversation=row)

    # a new one

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Create, and mostly join: the clock starts with the button, and the page says what it costs before."""
        require_role(request, "manager", "start a conversation: it costs money")
        if request.method == "POST":
            form = NewConversationForm(request.POST)
            if form.is_valid():
                made = self._make(request, form)
                if made is not None:
                    return redirect(address(made))
        else:
            form = NewConversationForm(initial=self._asked(request))
        active = Conversation.objects.filter(status="active", state="live").count()
        price, limit = rate_at(timezone.now()), slot_limit()
        context = {
            "title": "New conversation",
            "crumb": self.crumb(),
            "form": form,
            "token": new_token(),
            "active": active,
            "slots": limit,
            "slots_full": limit is not None and active >= limit,
            "price": price_words(settings.MAX_CALL_DURATION / 60),
            "price_per_minute": price and float(price.per_minute),
            "currency": price.currency if price else settings.CURRENCY,
        }
        return draw(request, "conversations/new_conversation.html", context, 400 if form.errors else 200)

    def _asked(self, request: HttpRequest) -> dict[str, str]:
        asked = {name: request.GET[name] for name in ("persona", "replica") if request.GET.get(name)}
        if "persona" in asked:
            known = Persona.objects.by_any_id(asked["persona"]).first()
            asked["persona"] = known.upstream_id if known and known.upstream_id else asked["persona"]
        return asked

    def _make(self, request: HttpRequest, form: NewConversationForm) -> Conversation | SlotRequest | None:
        if "when_free" in request.POST:
            return self._wait(request, form)

        def make(ref: str) -> Conversation:
            join = "create_only" not in request.POST
            return mirroring.create_conversation(actor=actor(request), body=form.body(), join=join, public_id=ref)

        made: Conversation | None = make_once(request, form, Conversation, make)
        return made

    def _wait(self, request: HttpRequest, form: NewConversationForm) -> SlotRequest | None:
        """It is created, and joined, when a slot is free; nothing is paid until then."""

        def make(ref: str) -> SlotRequest:
            return wait_for_slot(actor=actor(request), body=form.body(), join=True, public_id=ref)

        waits: SlotRequest | None = make_once(request, form, SlotRequest, make)
        return waits

    # buttons

    @button("manager", "sync")
    def sync_all(self, request: HttpRequest) -> HttpResponseBase:
        """Bring the list up to date with Tavus. Costs nothing."""
        try:
            messages.success(request, f"Conversations synced: {mirroring.sync_conversations(actor=actor(request))}.")
        except TavusError as error:
            tell(request, error)
        return redirect("admin:conversations_conversation_changelist")

    @button("operator", "join a room")
    def join(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Have the room joined."""
        return self._do(request, object_id, rooms.join)

    @button("operator", "leave a room")
    def leave(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Have the room left; the conversation goes on as its limits say."""
        return self._do(request, object_id, rooms.leave)

    @button("manager", "end a conversation")
    def end(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """End it for everybody, and stop its cost."""
        return self._do(request, object_id, mirroring.end_conversation, _ended)

    @button("manager", "sync")
    def sync(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Ask Tavus how this one stands. Costs nothing."""
        return self._do(request, object_id, mirroring.sync_conversation, lambda row: "It is as Tavus has it now.")

    @button("manager", "adopt a conversation")
    def make_ours(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """It was created elsewhere. Costs nothing: it runs, and costs, already."""
        return self._do(request, object_id, adopt_stranger, lambda row: "It is yours now: join it, or end it.")

    def _do(
        self, request: HttpRequest, object_id: str, service: Any, done: Callable[[Conversation], str] | None = None
    ) -> HttpResponseBase:
        row = self.find(request, object_id)
        try:
            service(actor=actor(request), conversation=row)
            if done is not None:
                messages.success(request, done(row))
        except (TavusError, ValueError) as error:
            tell(request, error)
        return redirect(address(row))


def _ended(row: Conversation) -> str:
    """What came of ending it, as upstream itself says."""
    if row.is_active:
        return "Tavus took it and has not ended it yet: until then it costs. The console looks again within seconds."
    return "It is ended; it costs nothing more."
