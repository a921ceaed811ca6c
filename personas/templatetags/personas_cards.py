"""What a replica's card shows."""

from __future__ import annotations

from django import template

from personas import pictures

register = template.Library()
register.filter("picture", pictures.picture)
register.filter("initials", pictures.initials)
