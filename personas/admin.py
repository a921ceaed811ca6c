"""The pages of personas and replicas."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from echoadmin.accounts.acting import actor
from echoadmin.accounts.roles import may
from echoadmin.actors import Actor
from echoadmin.form_tokens import make_once, new_token
from echoadmin.mirror.admin import MirroredAdmin
from echoadmin.pages import button, draw, pretty, require_role, tell
from echoadmin.read_only import Facts, address
from echoadmin.request_threads import pause
from echoadmin.shown import NOTHING, code, link, state
from echoadmin.tavus.errors import TavusError
from echoadmin.tavus.pictures import NoPicture, fetch
from personas import drift, services
from personas.drift_page import DriftPages, addressed
from personas.forms import EXAMPLE, EchoPersonaForm, JsonPersonaForm, OnceForm, PatchPersonaForm
from personas.mirrored import PERSONA, REPLICA
from personas.models import Persona, Replica
from personas.pictures import initials, picture
from personas.presets import echo_persona


class ByDrift(admin.SimpleListFilter):
    """Whether the last look found it other at Tavus than asked for here."""

    title = "drift"
    parameter_name = "differs"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "differs"), ("no", "as asked for")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Persona]) -> QuerySet[Persona]:
        wanted = self.value()
        return queryset.filter(drift__isnull=wanted == "no") if wanted in ("yes", "no") else queryset


@admin.register(Persona)
class PersonaAdmin(DriftPages):
    """Personas: echo ones are what the console is for; the others are mirrored and made from JSON."""

    list_display = (
        "name",
        "shown_mode",
        "shown_upstream_id",
        "persona_type",
        "shown_state",
        "shown_made",
        "shown_synced",
    )
    list_filter = ("pipeline_mode", "persona_type", "state", ByDrift)
    detail_template = "personas/persona.html"
    kind = PERSONA

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, "manager")

    @display(description="Mode", ordering="pipeline_mode")
    def shown_mode(self, row: Persona) -> SafeString | str:
        """Echo, or another pipeline."""
        return state("echo") if row.is_echo else row.pipeline_mode or "full"

    @display(description="Row", ordering="state")
    def shown_state(self, row: Persona) -> SafeString:
        """The row against upstream, and whether the last look found it other than asked for: nobody is asked here."""
        if not row.differs:
            return super().shown_state(row)
        fields = ", ".join(row.differs)
        return format_html(
            '{} <span class="ea-state" data-state="differs" title="{}">differs</span>', super().shown_state(row), fields
        )

    def uses(self, row: Persona) -> list[dict[str, str]]:
        return addressed(drift.uses(row))

    def own_facts(self, row: Persona) -> Facts:
        replica = Replica.objects.filter(upstream_id=row.default_replica_id).first() if row.default_replica_id else None
        shown = link(address(replica), replica) if replica else code(row.default_replica_id)
        return [
            ("Mode", self.shown_mode(row)),
            ("Default replica", shown),
            ("Microphone", row.microphone or NOTHING),
            ("Kind", "stock" if row.persona_type == "system" else "own"),
        ]

    def more_context(self, request: HttpRequest, row: Persona) -> dict[str, Any]:
        usable = row.state == "live" and row.upstream_id
        own = row.persona_type != "system"
        return super().more_context(request, row) | {
            "can_start": usable and may(request.user, "manager"),
            "can_change": usable and own and may(request.user, "manager"),
            "can_compare": bool(row.upstream_id),
            "uses": self.uses(row) if row.state == "gone" else [],
            "patch_form": PatchPersonaForm(initial={"token": new_token()}),
            "conversations": reverse("admin:conversations_conversation_changelist") + f"?persona__id__exact={row.pk}",
        }

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        own = {"sync_address": reverse("admin:personas_persona_sync"), "may_sync": may(request.user, "manager")}
        own |= {"add_words": "New persona"}
        return super().changelist_view(request, own | (extra_context or {}))

    def custom_paths(self) -> list[Any]:
        return [
            *super().custom_paths(),
            ("sync/", "sync", self.sync),
            ("<str:object_id>/change/patch/", "patch", self.patch),
            ("<str:object_id>/change/delete-upstream/", "delete_upstream", self.delete_upstream),
        ]

    def adopt_row(self, who: Actor, row: Persona, upstream_id: str) -> None:
        services.adopt_persona(actor=who, persona=row, persona_id=upstream_id)

    def give_up_row(self, who: Actor, row: Persona) -> None:
        services.give_up_persona(actor=who, persona=row)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Make a persona: an echo one by its name, any other by its JSON (?kind=json)."""
        require_role(request, "manager", "make a persona")
        kind = "json" if request.GET.get("kind") == "json" else "echo"
        form_class: type[OnceForm] = JsonPersonaForm if kind == "json" else EchoPersonaForm
        if request.method == "POST":
            form = form_class(request.POST)
            if form.is_valid():
                made = self._make(request, form)
                if made is not None:
                    return redirect(address(made))
        else:
            form = form_class(initial={"token": new_token(), "body": pretty(EXAMPLE)})
        context = {"title": "New persona", "crumb": self.crumb(), "form": form, "kind": kind, "token": new_token()}
        return draw(request, "personas/new_persona.html", context, 400 if form.errors else 200)

    def _make(self, request: HttpRequest, form: OnceForm) -> Persona | None:
        """The persona that the form makes, or has made already; None with the form's errors set when it was refused."""
        given, who = form.cleaned_data, actor(request)

        def make(ref: str) -> Persona:
            body = given["body"] if "body" in given else echo_persona(name=given["name"], replica_id=given["replica"])
            return services.create_persona(actor=who, body=body, public_id=ref)

        made: Persona | None = make_once(request, form, Persona, make)
        if made is not None and made.state == "live":
            messages.success(request, f"{made} is made. It can be used in conversations now.")
        return made

    @button("manager", "sync")
    def sync(self, request: HttpRequest) -> HttpResponseBase:
        """Bring the list up to date with Tavus. Costs nothing."""
        try:
            messages.success(request, f"Personas synced: {services.sync_personas(actor=actor(request))}.")
        except TavusError as error:
            tell(request, error)
        return redirect("admin:personas_persona_changelist")

    @button("manager", "change a persona")
    def patch(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Send a JSON Patch upstream."""
        row = self.find(request, object_id)
        form = PatchPersonaForm(request.POST)
        if form.is_valid():
            try:
                services.patch_persona(actor=actor(request), persona=row, operations=form.cleaned_data["operations"])
                messages.success(request, f"{row} is changed at Tavus.")
                return redirect(address(row))
            except (TavusError, ValueError) as error:
                form.blame(error)
        return self.change_view(request, object_id, extra_context={"patch_form": form, "patch_open": True})

    @button("manager", "delete a persona")
    def delete_upstream(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Delete the persona at Tavus; its row and its record stay here."""
        row = self.find(request, object_id)
        try:
            services.delete_persona(actor=actor(request), persona=row)
            messages.success(request, f"{row} is deleted at Tavus. What was recorded with it stays here.")
        except (TavusError, ValueError) as error:
            tell(request, error)
        return redirect(address(row))


@admin.register(Replica)
class ReplicaAdmin(MirroredAdmin):
    """Replicas: trained at Tavus, picked here."""

    list_display = (
        "shown_picture",
        "name",
        "shown_status",
        "shown_upstream_id",
        "replica_type",
        "model_name",
        "shown_synced",
    )
    list_display_links = ("name",)
    list_filter = ("status", "replica_type", "model_name", "state")
    detail_template = "personas/replica.html"
    kind = REPLICA

    def uses(self, row: Replica) -> list[dict[str, str]]:
        return addressed(drift.uses(row))

    @display(description="Picture")
    def shown_picture(self, row: Replica) -> SafeString:
        """The thumbnail, from our own host; two letters when there is none."""
        source = picture(row)
        if not source:
            return format_html('<span class="ea-face ea-face-small" aria-hidden="true">{}</span>', initials(row))
        return format_html(
            '<span class="ea-face ea-face-small" data-picture="{}" aria-hidden="true">{}</span>', source, initials(row)
        )

    @display(description="Status", ordering="status")
    def shown_status(self, row: Replica) -> SafeString:
        """Upstream's word for how its training stands."""
        return state(row.status)

    def own_facts(self, row: Replica) -> Facts:
        return [
            ("Status", state(row.status)),
            ("Training", row.training_progress or NOTHING),
            ("Kind", "stock" if row.replica_type == "system" else row.replica_type or NOTHING),
            ("Model", row.model_name or NOTHING),
        ]

    def more_context(self, request: HttpRequest, row: Replica) -> dict[str, Any]:
        return {
            "picture": picture(row),
            "initials": initials(row),
            "can_compare": bool(row.upstream_id),
            "uses": self.uses(row) if row.state == "gone" else [],
            "can_start": row.is_ready and may(request.user, "manager"),
        }

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        own = {"sync_address": reverse("admin:personas_replica_sync"), "may_sync": may(request.user, "manager")}
        return super().changelist_view(request, own | (extra_context or {}))

    def custom_paths(self) -> list[Any]:
        own = [("sync/", "sync", self.sync), ("<str:object_id>/picture/", "picture", self.picture_view)]
        return [*super().custom_paths(), *own]

    @button("manager", "sync")
    def sync(self, request: HttpRequest) -> HttpResponseBase:
        """Bring the list up to date with Tavus. Costs nothing."""
        try:
            messages.success(request, f"Replicas synced: {services.sync_replicas(actor=actor(request))}.")
        except TavusError as error:
            tell(request, error)
        return redirect("admin:personas_replica_changelist")

    def picture_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The thumbnail, fetched by the console, so that a browser asks nobody else and keeps it for an hour."""
        require_role(request, "auditor", "see pictures")
        row = self.find(request, object_id)
        try:
            with pause():
                found = fetch(row.thumbnail_url, settings.TAVUS_API_URL)
        except NoPicture as error:
            raise Http404(
                f"There is no picture of this replica: {error} Sync the replicas; its address may have expired."
            ) from error
        response = HttpResponse(found.content, content_type=found.media_type)
        response["Cache-Control"] = "private, max-age=3600"
        response["Content-Security-Policy"] = "default-src 'none'"
        return response
