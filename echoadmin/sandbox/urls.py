"""The sandbox's own pages, under /admin/."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from echoadmin.sandbox import pages

app_name = "sandbox"

urlpatterns = [
    path("sandbox/faults/", admin.site.admin_view(pages.faults), name="faults"),
    path("sandbox/faults/remove/", admin.site.admin_view(pages.remove), name="remove"),
]
