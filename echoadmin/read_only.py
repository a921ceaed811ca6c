"""The base of the console's model pages: lists and details to read; what changes something is a button of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib.admin.views.main import ChangeList as DjangoChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from echoadmin.accounts.roles import may
from echoadmin.pages import draw, pretty
from echoadmin.shown import NOTHING

Facts = list[tuple[str, Any]]


def address(row: Model, page: str = "change") -> str:
    """The page of a row, by its public id where it has one."""
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}"
    return reverse(name, args=[getattr(row, "public_id", None) or row.pk])


class AddressedChangeList(ChangeList):
    """A list whose rows link to the addresses above."""

    def url_for_result(self, result: Model) -> str:
        """The row's page."""
        return address(result)


class ReadOnlyAdmin(ModelAdmin):
    """Every role reads; nobody adds, changes or deletes through Django's own forms (they hold a transaction open)."""

    list_per_page = 50
    actions = None
    detail_template: ClassVar[str] = "admin/detail.html"

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may(request.user, "auditor")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, "auditor")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DjangoChangeList]:
        return AddressedChangeList

    def find(self, request: HttpRequest, object_id: str) -> Any:
        """The row by its primary key, or by either id of a mirrored one; raises Http404 that says what it was."""
        row = self.get_object(request, object_id) if object_id.isdigit() and len(object_id) < 19 else None
        if row is None and hasattr(self.model, "public_id") and "\0" not in object_id:  # PostgreSQL takes no NUL
            rows = self.get_queryset(request)
            mirrored = hasattr(rows, "by_any_id")
            row = (rows.by_any_id(object_id) if mirrored else rows.filter(public_id=object_id)).first()
        if row is None:
            raise Http404(f"There is no {self.opts.verbose_name} with the id {object_id[:80]!r} here.")
        return row

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        """What the detail page says of a row: (label, value) pairs."""
        return [(field.verbose_name.capitalize(), field.value_from_object(row)) for field in self.opts.fields]

    def documents(self, row: Any) -> list[tuple[str, str]]:
        """The JSON that the detail page shows: (title, pretty text) pairs."""
        return []

    def more_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """What else the detail template wants."""
        return {}

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The row's page. Not Django's form: that one runs in a transaction."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.find(request, object_id)
        context = {
            "title": str(row),
            "opts": self.opts,
            "original": row,
            "row": row,
            "facts": self.facts(request, row),
            "documents": self.documents(row),
            "crumb": self.crumb(),
        }
        return draw(request, self.detail_template, context | self.more_context(request, row) | (extra_context or {}))

    def crumb(self) -> tuple[str, str]:
        """Where the page's head leads back to: the list."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
        return str(self.opts.verbose_name_plural).capitalize(), reverse(name)

    def custom_paths(self) -> list[tuple[str, str, Callable[..., Any]]]:
        """Pages and buttons of its own: (path, name, view); names get the model's prefix."""
        return []

    def get_urls(self) -> list[Any]:
        """The pages above, before Django's own."""
        from django.urls import path

        prefix = f"{self.opts.app_label}_{self.opts.model_name}"
        own = [
            path(route, self.admin_site.admin_view(view), name=f"{prefix}_{name}")
            for route, name, view in self.custom_paths()
        ]
        return own + super().get_urls()


def known(facts: Facts) -> Facts:
    """Without what there is nothing to say of."""
    return [fact for fact in facts if fact[1] not in (None, "", NOTHING)]


def document(title: str, value: Any) -> list[tuple[str, str]]:
    """One titled JSON document, or none when it is empty."""
    return [(title, pretty(value))] if value else []
