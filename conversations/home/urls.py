"""The addresses of the home page's own script, under /admin/."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from conversations.home import state_view

app_name = "home"

urlpatterns = [path("home/state/", admin.site.admin_view(state_view), name="state")]
