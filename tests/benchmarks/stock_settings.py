"""The console's settings for Django's own admin over the same tables, to compare pages with."""

from echoadmin.settings import *  # noqa: F403
from echoadmin.settings import INSTALLED_APPS as _APPS

_LEFT_OUT = ("unfold", "unfold.contrib.filters", "unfold.contrib.forms", "django.contrib.admin", "echoadmin.sandbox")
INSTALLED_APPS = ["django.contrib.admin.apps.SimpleAdminConfig", *(app for app in _APPS if app not in _LEFT_OUT)]
ROOT_URLCONF = "stock_urls"
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "stock_urls.everybody_may",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
