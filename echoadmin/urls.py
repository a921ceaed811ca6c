"""Every URL of the console, in one place."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

import conversations.metrics  # noqa: F401 - makes its gauges known
from conversations.quickstart import SendAudioMessage
from conversations.webhooks.receiving import receive
from echoadmin.accounts.limits import anywhere
from echoadmin.metrics import Metrics

urlpatterns = [
    *(
        path("admin/", include(module)) for module in settings.ADMIN_PAGES
    ),  # before the admin's own, which takes the rest
    path("admin/", admin.site.urls),
    path("metrics", Metrics.as_view(), name="metrics"),
    path("webhooks/tavus/<str:secret>/", receive),
    path("send_audio_message", SendAudioMessage.as_view(within=anywhere)),
    path("", include("echoadmin.api.urls")),
]

handler400 = "echoadmin.error_pages.bad_request"
handler403 = "echoadmin.error_pages.forbidden"
handler404 = "echoadmin.error_pages.not_found"
handler500 = "echoadmin.error_pages.broken"
