"""Every address of the REST API, in one place."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularSwaggerSplitView

from echoadmin.api.duties import DutyList
from echoadmin.api.openapi.document import Document
from echoadmin.api.views import nothing

V1: list[URLPattern | URLResolver] = [
    path("schema/", Document.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("duties/", DutyList.as_view()),
    path("", include("personas.api")),
    path("", include("conversations.api")),
    path("", include("conversations.money.api")),
    path("", include("conversations.slots.api")),
    path("", include("echoadmin.accounts.api")),
    path("", include("echoadmin.api.runs")),
    path("", include("echoadmin.alerts.api")),
    path("", include("echoadmin.deliveries.api")),
    path("", include("echoadmin.log.export.api")),
    path("", include("echoadmin.log.api")),
    path("", include("echoadmin.log.browse_api")),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include(V1)),
    re_path(r"^api(?:/.*)?$", nothing),
]
