"""Django's stock changelist of the log: a plain ModelAdmin, served as the console is."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.urls import path

from echoadmin.log.models import Entry


class StockEntryAdmin(ModelAdmin):  # type: ignore[type-arg]
    """The columns of the console's own page, as many rows, and nothing clever."""

    list_display = ("id", "at", "kind", "direction", "event_type", "said", "sender_name", "actor", "conversation_ref")
    list_filter = ("kind", "direction", "is_error")
    search_fields = ("said",)
    list_per_page = 100


def everybody_may(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """No sign-in: it would only add to the time."""
    user = User(pk=0, username="bench", is_active=True, is_staff=True, is_superuser=True)

    def answer(request: HttpRequest) -> HttpResponse:
        request.user = user
        return get_response(request)

    return answer


site = AdminSite(name="admin")
site.register(Entry, StockEntryAdmin)
urlpatterns = [path("stock/", site.urls)]
