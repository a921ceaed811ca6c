"""The console's navigation and palette, as django-unfold reads them. Imported by the settings: no models here."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def mode_label(request: HttpRequest) -> list[str]:
    """The mode's name in the page's head, whichever it is."""
    return [settings.MODE, "primary"]


def title_prefix(request: HttpRequest) -> str:
    """The mode's name in the window's title."""
    return f"[{settings.MODE}]"


def stylesheet(request: HttpRequest) -> str:
    """The console's own styles, over unfold's."""
    return static("echoadmin/console.css")


def keeps_accounts(request: HttpRequest) -> bool:
    """Whether users and roles are shown: to admins."""
    from echoadmin.accounts.roles import may  # the settings load this module before there are models

    return may(request.user, "admin")


def _item(title: str, icon: str, url_name: str, permission: str | None = None) -> dict[str, Any]:
    item: dict[str, Any] = {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{url_name}")}
    return item | ({"permission": permission} if permission else {})


NAVIGATION: list[dict[str, Any]] = [
    {
        "items": [
            _item("Home", "home", "index"),
            _item("Conversations", "forum", "conversations_conversation_changelist"),
            _item("Scripts", "playlist_play", "conversations_script_changelist"),
            _item("Personas", "psychology", "personas_persona_changelist"),
            _item("Replicas", "face", "personas_replica_changelist"),
        ],
    },
    {
        "title": "Record",
        "separator": True,
        "items": [
            _item("Log", "receipt_long", "log_entry_changelist"),
            _item("Views", "bookmark", "alerts_savedview_changelist"),
            _item("Gaps", "broken_image", "conversations_gap_changelist"),
            _item("Runs", "downloading", "echoadmin_run_changelist"),
            _item("Checkpoints", "verified", "log_checkpoint_changelist"),
            _item("Legal holds", "gavel", "log_hold_changelist"),
            _item("Echoes", "graphic_eq", "conversations_echo_changelist"),
            _item("Saved lines", "playlist_play", "conversations_savedline_changelist"),
            _item("Interactions", "bolt", "conversations_interaction_changelist"),
            _item("Rooms", "meeting_room", "conversations_room_changelist"),
        ],
    },
    {
        "title": "Money",
        "separator": True,
        "items": [
            _item("Money", "payments", "conversations_price_money"),
            _item("Slots", "event_seat", "conversations_slotrequest_slots"),
            _item("Prices", "sell", "conversations_price_changelist"),
            _item("Budgets", "savings", "conversations_budget_changelist"),
        ],
    },
    {
        "title": "Alerts and webhooks",
        "separator": True,
        "items": [
            _item("Alerts", "notifications", "alerts_alert_changelist"),
            _item("Rules", "rule", "alerts_rule_changelist"),
            _item("Webhooks in", "move_to_inbox", "conversations_webhookreceived_changelist"),
            _item("Subscriptions", "webhook", "deliveries_subscription_changelist"),
            _item("Deliveries", "outbox", "deliveries_delivery_changelist"),
        ],
    },
    {
        "title": "Workers and duties",
        "separator": True,
        "items": [
            _item("Workers", "dns", "conversations_worker_changelist"),
            _item("Duties", "schedule", "echoadmin_duty_changelist"),
            _item("Consoles", "terminal", "echoadmin_console_changelist"),
            _item("Installation", "settings", "echoadmin_installation_changelist"),
        ],
    },
    {
        "title": "Access",
        "separator": True,
        "items": [
            _item("API keys", "key", "accounts_apikey_changelist"),
            {"title": "Authenticator", "icon": "phonelink_lock", "link": reverse_lazy("access:second_factor")},
            _item("Users", "person", "auth_user_changelist", "echoadmin.admin_site.keeps_accounts"),
            _item("Roles", "badge", "auth_group_changelist", "echoadmin.admin_site.keeps_accounts"),
        ],
    },
]

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "echoadmin",
    "SITE_HEADER": "echoadmin",
    "SITE_SUBHEADER": "Says exactly what you send",
    "SITE_SYMBOL": "graphic_eq",
    "SITE_URL": None,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "echoadmin.admin_site.mode_label",
    "ENVIRONMENT_TITLE_PREFIX": "echoadmin.admin_site.title_prefix",
    "DASHBOARD_CALLBACK": "conversations.home.dashboard",
    "STYLES": [stylesheet],
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "sizes": "any", "href": lambda request: static("echoadmin/icon.svg")},
    ],
    "BORDER_RADIUS": "6px",
    # One accent, teal; 600 carries white words at 5.4 to 1, 500 stands out from the dark ground at 7 to 1.
    "COLORS": {
        "primary": {
            "50": "oklch(98.4% .014 180.7)",
            "100": "oklch(95.3% .051 180.8)",
            "200": "oklch(91% .096 180.4)",
            "300": "oklch(85.5% .138 181.1)",
            "400": "oklch(77.7% .152 181.9)",
            "500": "oklch(70.4% .14 182.5)",
            "600": "oklch(50.5% .096 186.4)",
            "700": "oklch(44% .08 187.5)",
            "800": "oklch(38.6% .063 188.4)",
            "900": "oklch(33% .053 188.9)",
            "950": "oklch(27.7% .046 192.5)",
        },
        "font": {
            "subtle-light": "var(--color-base-600)",
            "subtle-dark": "var(--color-base-400)",
            "default-light": "var(--color-base-700)",
            "default-dark": "var(--color-base-300)",
            "important-light": "var(--color-base-900)",
            "important-dark": "var(--color-base-100)",
        },
    },
    "SIDEBAR": {"show_search": False, "show_all_applications": False, "navigation": NAVIGATION},
}
