"""The addresses of signing in, under /admin/: before the admin's own, which they stand in for."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from echoadmin.accounts.second_factor_page import second_factor_page
from echoadmin.accounts.signing_in import change_password, sign_in

app_name = "access"

urlpatterns = [
    path("login/", sign_in, name="login"),
    path("password_change/", admin.site.admin_view(change_password, cacheable=True), name="password_change"),
    path("second-factor/", admin.site.admin_view(second_factor_page), name="second_factor"),
]
