"""A bare DRF view that inserts one row, served as the console is: what a POST costs before it does anything."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

import django
from django.conf import settings

DATABASE = Path(os.environ["BARE_DATABASE"])

settings.configure(
    SECRET_KEY="b" * 50,
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["rest_framework"],
    MIDDLEWARE=[],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATABASE,
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 5,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }
    },
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()

from django.core.asgi import get_asgi_application
from django.db import models
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from echoadmin.request_threads import RequestThreads


class Row(models.Model):
    """One text."""

    text = models.TextField()

    class Meta:
        app_label = "bare"
        db_table = "row"

    def __str__(self) -> str:
        return self.text


class Insert(APIView):
    """POST {text} → 202."""

    def post(self, request: Request) -> Response:
        row = Row.objects.create(text=request.data["text"])
        return Response({"id": row.pk}, status=202)


with sqlite3.connect(DATABASE) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS row (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")

urlpatterns = [path("rows/", Insert.as_view())]
application = RequestThreads(get_asgi_application())
