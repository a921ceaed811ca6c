"""What the pages of personas, replicas and conversations share."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.safestring import SafeString
from unfold.decorators import display

from echoadmin.accounts.acting import actor
from echoadmin.accounts.roles import may
from echoadmin.actors import Actor
from echoadmin.mirror.drift import Comparison, Difference, compare
from echoadmin.mirror.kinds import MirroredKind
from echoadmin.pages import button, draw, pretty, require_role, tell, told, words_of
from echoadmin.read_only import Facts, ReadOnlyAdmin, address, document
from echoadmin.shown import NOTHING, code, state, when
from echoadmin.tavus.errors import TavusError


class MirroredAdmin(ReadOnlyAdmin):
    """Mirrored columns are read-only: what changes them calls upstream, and has a button or a page of its own."""

    search_fields = ("name", "public_id", "upstream_id")
    search_help_text = "Name, or either id"
    change_list_template = "admin/mirror_list.html"
    detail_template = "admin/mirror_detail.html"
    drift_template = "admin/drift.html"
    kind: ClassVar[MirroredKind]

    def custom_paths(self) -> list[Any]:
        return [("<str:object_id>/change/drift/", "drift", self.drift_view)]

    def drift_view(
        self, request: HttpRequest, object_id: str, more: dict[str, Any] | None = None, status: int = 200
    ) -> HttpResponseBase:
        """The row beside its object at Tavus, asked now. more: what the template is to show besides."""
        require_role(request, "auditor", "compare with Tavus")
        row = self.find(request, object_id)
        try:
            found = compare(self.kind, row, actor=actor(request))
        except (TavusError, ValueError) as error:
            refused_here = not isinstance(error, TavusError)
            return told(request, 409 if refused_here else 502, *words_of(error))
        context = {
            "title": f"{row}: here and at Tavus",
            "crumb": (str(row), address(row)),
            "row": row,
            "found": found,
            "rows": [shown_difference(one) for one in found.differences],
            "looked_at": when(found.looked_at),
            "here": address(row, "drift"),
            "uses": self.uses(row),
        }
        return draw(
            request, self.drift_template, context | self.drift_context(request, row, found) | (more or {}), status
        )

    def drift_context(self, request: HttpRequest, row: Any, found: Comparison) -> dict[str, Any]:
        """What else the drift page of this kind wants."""
        return {}

    def uses(self, row: Any) -> list[dict[str, str]]:
        """What still uses it: kind, name and address of each."""
        return []

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        return [
            ("Here", code(row.public_id)),
            ("At Tavus", code(row.upstream_id)),
            ("Row", state(row.state)),
            *self.own_facts(row),
            ("Made by", row.created_by or "not made here"),
            ("Made", when(row.upstream_created_at or row.created_at)),
            ("Last synced", when(row.synced_at)),
        ]

    def own_facts(self, row: Any) -> Facts:
        """What this kind of object has more than the others."""
        return []

    def documents(self, row: Any) -> list[tuple[str, str]]:
        return document("As Tavus has it", row.payload) + document("As it was asked for", row.requested)

    @display(description="Row", ordering="state")
    def shown_state(self, row: Any) -> SafeString:
        """The row against upstream."""
        return state(row.state)

    @display(description="Tavus id", ordering="upstream_id")
    def shown_upstream_id(self, row: Any) -> SafeString:
        """Upstream's id."""
        return code(row.upstream_id)

    @display(description="Synced", ordering="synced_at")
    def shown_synced(self, row: Any) -> SafeString:
        """When upstream was last asked."""
        return when(row.synced_at)

    @display(description="Made", ordering="id")
    def shown_made(self, row: Any) -> SafeString:
        """When it was made."""
        return when(row.upstream_created_at or row.created_at)


def shown_difference(one: Difference) -> dict[str, Any]:
    """A row of the drift page."""
    values = {side: NOTHING if value is None else _shown(value) for side, value in _sides(one)}
    times = {"since": when(one.since), "agreed_at": when(one.agreed_at) if one.agreed_at else ""}
    return {"pointer": one.pointer, "asked": one.asked, "kept_back": one.kept_back, **values, **times}


def _sides(one: Difference) -> list[tuple[str, Any]]:
    return [("here", one.here), ("upstream", one.upstream)]


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and value else pretty(value)


class CreatedAdmin(MirroredAdmin):
    """Of what is created from here: a row whose answer was lost can be settled by a person."""

    def adopt_row(self, who: Actor, row: Any, upstream_id: str) -> None:
        """Upstream's object is this row."""
        raise NotImplementedError

    def give_up_row(self, who: Actor, row: Any) -> None:
        """Upstream never made it."""
        raise NotImplementedError

    def more_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return {"may_settle": row.state == "unknown" and may(request.user, "manager")}

    def custom_paths(self) -> list[Any]:
        return [
            *super().custom_paths(),
            ("<str:object_id>/change/adopt/", "adopt", self.adopt),
            ("<str:object_id>/change/give-up/", "give_up", self.give_up),
        ]

    @button("manager", "settle what is unknown")
    def adopt(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """A person has found it at Tavus."""
        row = self.find(request, object_id)
        try:
            self.adopt_row(actor(request), row, request.POST.get("upstream_id", "").strip())
            messages.success(request, "It is known again, as Tavus has it.")
        except (TavusError, ValueError) as error:
            tell(request, error)
        return redirect(address(row))

    @button("manager", "settle what is unknown")
    def give_up(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """A person has looked, and it is not there."""
        row = self.find(request, object_id)
        try:
            self.give_up_row(actor(request), row)
            messages.success(request, "It is settled: Tavus never made it.")
        except (TavusError, ValueError) as error:
            tell(request, error)
        return redirect(address(row))
